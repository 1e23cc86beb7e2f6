import { bunHttp } from "../../../src/adapters/bun/http.ts";
import { bunWebSocketClient } from "../../../src/adapters/bun/websocket_client.ts";
import { webSocketClientConformance } from "../websocket_client_conformance.ts";
import { webSocketClientWireConformance } from "../websocket_client_wire_conformance.ts";

const under = { name: "bun", http: bunHttp, request: fetch, client: bunWebSocketClient };
webSocketClientConformance(under);
webSocketClientWireConformance(under);
