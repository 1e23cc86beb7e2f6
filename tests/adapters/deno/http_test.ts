import { denoHttp } from "../../../src/adapters/deno/http.ts";
import { denoWebSocketClient } from "../../../src/adapters/deno/websocket_client.ts";
import { httpConformance } from "../http_conformance.ts";
import { httpTlsConformance } from "../http_tls_conformance.ts";
import { httpWireConformance } from "../http_wire_conformance.ts";
import { webSocketWithoutDeflate } from "../websocket_deflate_conformance.ts";
import { webSocketWireConformance } from "../websocket_wire_conformance.ts";

const under = { name: "denoHttp", http: denoHttp, request: fetch, client: denoWebSocketClient };
httpConformance(under);
httpWireConformance(under);
webSocketWireConformance(under);
webSocketWithoutDeflate(under);
httpTlsConformance(under);
