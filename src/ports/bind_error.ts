/**
 * A listening address could not be had. Adapters throw it for TCP, UDP and HTTP alike, so that the
 * application can name the cause in one line.
 */
export class BindError extends Error {
  override readonly name = "BindError";
  readonly code: string;
  readonly host: string;
  readonly port: number;

  /** `code` is the system's error code: EADDRINUSE, EACCES, EADDRNOTAVAIL, … */
  constructor(
    what: { protocol: "tcp" | "udp" | "http"; host: string; port: number; code: string },
    cause?: unknown,
  ) {
    super(
      `Cannot listen on ${what.protocol} ${showAddress(what.host, what.port)}: ${
        explain(what.code)
      }`,
      { cause },
    );
    this.code = what.code;
    this.host = what.host;
    this.port = what.port;
  }
}

function showAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function explain(code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use by another program (EADDRINUSE)";
    case "EACCES":
      return "this user may not use that port (EACCES)";
    case "EADDRNOTAVAIL":
      return "this machine has no such address (EADDRNOTAVAIL)";
    default:
      return code;
  }
}
