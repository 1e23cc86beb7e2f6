/**
 * Every reason for which the host protocol closes a connection. The name is what logs show; `retry`
 * says whether the same peer may well come back.
 */
export const hostDisconnects = {
  peer_done: { text: "the peer closed its side and has all replies", retry: true },
  ping_answered: { text: "a Protobuf Ping is answered once a connection", retry: true },
  ping_malformed: { text: "not a Protobuf Ping", retry: false },
  http_request: { text: "an HTTP request is no host command", retry: false },
  tls_client: { text: "TLS is not spoken here", retry: false },
  auth_failed: { text: "too many wrong tokens", retry: false },
  game_unavailable: { text: "a game client, and no game is served here", retry: false },
  flood: { text: "more input than can be kept while replies wait", retry: true },
  slow_consumer: { text: "the peer does not read its replies", retry: true },
  idle: { text: "nothing came for too long", retry: true },
  server_full: { text: "no more connections are taken", retry: true },
  internal_error: { text: "a fault of this server", retry: true },
  stopping: { text: "the server stops", retry: true },
  lost: { text: "the connection broke off or was closed by the peer", retry: true },
} as const;
export type HostDisconnect = keyof typeof hostDisconnects;
