/** The subprotocol by which browsers send a token, for they can set no headers. */
export const bearerProtocol = "bearer";

/**
 * What `Sec-WebSocket-Protocol: bearer, <token>` offers: the token, "" where nothing follows; undefined
 * where `bearer` is not the first that is offered.
 */
export function bearerOffer(headers: Headers): string | undefined {
  const offered = headers.get("sec-websocket-protocol");
  if (offered === null) return undefined;
  const [first = "", second = ""] = offered.split(",", 2);
  return first.trim() === bearerProtocol ? second.trim() : undefined;
}
