import { showAddress } from "../base/address.ts";
import type { Settings } from "../config/settings.ts";
import type { BindError } from "../ports/bind_error.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Finding } from "./environment.ts";
import { tcpBindFault, udpBindFault } from "./free_ports.ts";

/** Binds each port that `serve` will bind, and lets go of it again. */
export async function checkPorts(runtime: Runtime, settings: Settings): Promise<Finding[]> {
  const { host, http_host, tcp_port, udp_port, http_port } = settings;
  return await Promise.all([
    tryPort({ key: "tcp_port", host, port: tcp_port, kind: "tcp" }, tcpBindFault),
    // Game discovery asks the datagram port of the same number.
    tryPort({ key: "tcp_port", host, port: tcp_port, kind: "udp" }, udpBindFault),
    tryPort({ key: "udp_port", host, port: udp_port, kind: "udp" }, udpBindFault),
    http_port === 0
      ? { name: "http_port", status: "note", found: "HTTP is off (http_port 0)", advice: "" }
      : tryPort({ key: "http_port", host: http_host, port: http_port, kind: "tcp" }, tcpBindFault),
  ]);

  async function tryPort(
    what: { key: string; host: string; port: number; kind: "tcp" | "udp" },
    faultOf: typeof tcpBindFault,
  ): Promise<Finding> {
    const name = `${what.key} ${what.kind}`;
    if (what.port === 0) return { name, status: "ok", found: "a free one is taken", advice: "" };
    const fault = await faultOf(runtime, what.host, what.port);
    if (fault === undefined) {
      return {
        name,
        status: "ok",
        found: `${showAddress(what.host, what.port)} is free`,
        advice: "",
      };
    }
    return { name, status: "failed", found: fault.message, advice: adviceFor(fault, what.key) };
  }
}

function adviceFor(fault: BindError, key: string): string {
  switch (fault.code) {
    case "EADDRINUSE":
      return `stop that program or set another ${key}; if it is this server, use check --live`;
    case "EACCES":
      return `set ${key} to 1024 or above, or give the program CAP_NET_BIND_SERVICE`;
    case "EADDRNOTAVAIL":
      return "set host to an address of this machine, or to 0.0.0.0 or :: for all";
    default:
      return `set another ${key} or host`;
  }
}
