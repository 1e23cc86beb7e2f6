export type ProblemStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 429 | 500 | 503;

const titles: Readonly<Record<ProblemStatus, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Why a request of the API is refused; `more` stands beside the members of RFC 9457. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: ProblemStatus;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(status: ProblemStatus, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.status = status;
    this.more = more;
  }
}

/** The problem as an answer: `application/problem+json` (RFC 9457). */
export function problemResponse(
  { status, message, more }: ApiProblem,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = { type: "about:blank", title: titles[status], status, detail: message, ...more };
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}
