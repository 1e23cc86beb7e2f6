import { bunHttp } from "../../../src/adapters/bun/http.ts";
import { bunWebSocketClient } from "../../../src/adapters/bun/websocket_client.ts";
import { httpConformance } from "../http_conformance.ts";
import { httpTlsConformance } from "../http_tls_conformance.ts";
import { httpWireConformance } from "../http_wire_conformance.ts";
import { webSocketDeflateConformance } from "../websocket_deflate_conformance.ts";
import { webSocketWireConformance } from "../websocket_wire_conformance.ts";

const under = {
  name: "bunHttp",
  http: bunHttp,
  request: fetch,
  client: bunWebSocketClient,
  noPipelining: "Bun closes a connection on which a request comes before the last one's answer",
};
httpConformance(under);
httpWireConformance(under);
webSocketWireConformance(under);
webSocketDeflateConformance(under);
httpTlsConformance(under);
