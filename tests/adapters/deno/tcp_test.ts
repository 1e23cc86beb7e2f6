import { denoTcp } from "../../../src/adapters/deno/tcp.ts";
import { openFiles } from "../open_files.ts";
import { tcpConformance } from "../tcp_conformance.ts";
import { tcpTlsConformance } from "../tcp_tls_conformance.ts";

const denoUnderTest = {
  name: "denoTcp",
  port: denoTcp,
  openResources: openFiles,
  /** A listener that nobody accepts from, with its queue of two filled. */
  async silentAddress() {
    const host = "127.0.0.1";
    const listener = Deno.listen({ hostname: host, port: 0, tcpBacklog: 1 });
    const { port } = listener.addr;
    const waiting = [
      await Deno.connect({ hostname: host, port }),
      await Deno.connect({ hostname: host, port }),
    ];
    return {
      host,
      port,
      close() {
        for (const connection of waiting) connection.close();
        listener.close();
      },
    };
  },
};

tcpConformance(denoUnderTest);
tcpTlsConformance(denoUnderTest);
