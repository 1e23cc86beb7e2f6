import {
  type GitHttp,
  GitHttpError,
  type GitHttpRequest,
  type GitHttpResponse,
} from "../../ports/git_io.ts";

/** A big repository takes its server a while to look through before the first byte. */
const SILENCE_MS_MAX = 60_000;

/** For one response: half a gigabyte at 300 KB/s. */
const RESPONSE_MS_MAX = 1_800_000;

/** As browsers' libraries allow; hosts send to another name or to https. */
const REDIRECTS_MAX = 5;

const redirections: readonly number[] = [301, 302, 303, 307, 308];

export interface GitHttpTimes {
  /** The longest wait for the next byte, in milliseconds. */
  readonly silenceMsMax?: number;
  /** The longest that a response may take, in milliseconds. */
  readonly responseMsMax?: number;
}

/** HTTP for git through `fetch`, which both runtimes have; proxies are those of the environment. */
export function fetchGitHttp(
  { silenceMsMax = SILENCE_MS_MAX, responseMsMax = RESPONSE_MS_MAX }: GitHttpTimes = {},
): GitHttp {
  return {
    async request(request) {
      const limits = new TimeLimits(request.signal, { silenceMsMax, responseMsMax });
      try {
        return await follow(request, limits);
      } catch (error) {
        limits.end();
        throw limits.explain(error);
      }
    },
  };
}

async function follow(request: GitHttpRequest, limits: TimeLimits): Promise<GitHttpResponse> {
  const { method, headers, body, bodyBytesMax } = request;
  let url = new URL(request.url);
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const response = await fetch(url, {
      method,
      headers,
      redirect: "manual",
      signal: limits.signal,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    limits.heard();
    if (!redirections.includes(response.status)) {
      return {
        url: url.href,
        method,
        statusCode: response.status,
        statusMessage: response.statusText,
        headers: Object.fromEntries(response.headers),
        body: readBody(response, bodyBytesMax, limits),
      };
    }
    await response.body?.cancel();
    url = nextUrl(url, response.headers.get("location"));
  }
  throw new GitHttpError(`it was redirected over ${REDIRECTS_MAX} times`, { mayRetry: false });
}

function nextUrl(from: URL, location: string | null): URL {
  const to = location === null ? null : URL.parse(location, from);
  const isAllowed = to?.protocol === "https:" ||
    (to?.protocol === "http:" && from.protocol === "http:");
  if (to === null || !isAllowed) {
    throw new GitHttpError("it was redirected to where one may not go", { mayRetry: false });
  }
  return to;
}

async function* readBody(
  response: Response,
  bytesMax: number,
  limits: TimeLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  let received = 0;
  try {
    while (reader !== undefined) {
      const { done, value } = await reader.read();
      limits.heard();
      if (done) return;
      received += value.length;
      if (received > bytesMax) {
        throw new GitHttpError(`it sends over ${bytesMax} bytes`, { mayRetry: false });
      }
      yield value;
    }
  } catch (error) {
    throw limits.explain(error);
  } finally {
    limits.end();
    // Nothing more is read; the connection of a body that was left early is closed by it.
    reader?.cancel().catch(() => {});
  }
}

/** Ends a request that is silent or takes too long, or whose owner does not want it any more. */
class TimeLimits {
  readonly #own = new AbortController();
  readonly #outer: AbortSignal;
  readonly #silenceMsMax: number;
  readonly #whole: ReturnType<typeof setTimeout>;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    outer: AbortSignal,
    { silenceMsMax, responseMsMax }: Required<GitHttpTimes>,
  ) {
    this.#outer = outer;
    this.#silenceMsMax = silenceMsMax;
    this.#whole = setTimeout(() => {
      this.#stop(`it took over ${responseMsMax / 1_000} s`);
    }, responseMsMax);
    this.heard();
  }

  get signal(): AbortSignal {
    return AbortSignal.any([this.#outer, this.#own.signal]);
  }

  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#stop(`it was silent for ${this.#silenceMsMax / 1_000} s`);
    }, this.#silenceMsMax);
  }

  end(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#whole);
  }

  /** What to tell of an error: runtimes word them each in their own way. */
  explain(error: unknown): unknown {
    if (error instanceof GitHttpError) return error;
    if (this.#outer.aborted) return this.#outer.reason;
    if (this.#own.signal.aborted) return this.#own.signal.reason;
    const found = error instanceof Error ? error.message : String(error);
    const why = `the connection failed: ${found.replace(/\s+/g, " ")}`;
    return new GitHttpError(why, { mayRetry: true, cause: error });
  }

  #stop(why: string): void {
    this.#own.abort(new GitHttpError(why, { mayRetry: true }));
  }
}
