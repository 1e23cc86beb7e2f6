import { tcpCloseConformance } from "./tcp_close_conformance.ts";
import { tcpListenConformance } from "./tcp_listen_conformance.ts";
import type { TcpUnderTest } from "./tcp_recorder.ts";
import { tcpStreamConformance } from "./tcp_stream_conformance.ts";

/** All that each adapter for TCP must keep, and the fake with them. */
export function tcpConformance(under: TcpUnderTest): void {
  tcpStreamConformance(under);
  tcpCloseConformance(under);
  tcpListenConformance(under);
}
