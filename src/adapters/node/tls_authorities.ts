import { getCACertificates } from "node:tls";

/** Certificates of the authorities that this machine trusts, as PEM: its own store, what comes with
 * the runtime, and what `NODE_EXTRA_CA_CERTS` names. Reading them takes some milliseconds. */
export function trustedAuthorities(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}
