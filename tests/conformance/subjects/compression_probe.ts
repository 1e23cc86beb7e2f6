import type { WirePeer } from "../wire_peer.ts";

/** Undefined when a server agrees to the plainest offer of RFC 7692, else why its groups are left out. */
export async function lacksCompression(
  open: (offer: string) => Promise<WirePeer>,
): Promise<string | undefined> {
  const peer = await open("permessage-deflate");
  const isAgreed = peer.agreed !== undefined;
  peer.destroy();
  return isAgreed ? undefined : "permessage-deflate is off: the server does not agree to it";
}
