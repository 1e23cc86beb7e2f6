import { denoHttp } from "../../../src/adapters/deno/http.ts";
import { denoWebSocketClient } from "../../../src/adapters/deno/websocket_client.ts";
import { webSocketClientConformance } from "../websocket_client_conformance.ts";
import { webSocketClientWireConformance } from "../websocket_client_wire_conformance.ts";

const under = { name: "deno", http: denoHttp, request: fetch, client: denoWebSocketClient };
webSocketClientConformance(under);
webSocketClientWireConformance(under);
