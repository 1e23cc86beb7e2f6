import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { absoluteUrl, asError, internalError, refuseRequest } from "../http_rules.ts";

/** One request of `node:http` and its response, as Fetch shows them. */
export class HttpExchange {
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #bodyBytesMax: number;
  readonly #left = new AbortController();
  #bodyTooBig = false;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, bodyBytesMax: number) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#bodyBytesMax = bodyBytesMax;
    this.#bodyTooBig = Number(incoming.headers["content-length"] ?? 0) > bodyBytesMax;
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) this.#left.abort();
    });
  }

  /** Never rejects: what `fetch` throws goes to `report`, unless the peer is to blame. */
  async answer(
    fetch: (request: Request) => Response | Promise<Response>,
    report: (error: Error) => void,
  ): Promise<void> {
    const method = this.#incoming.method ?? "";
    const url = urlOf(this.#incoming);
    let response = refuseRequest(method, url);
    try {
      if (!this.#bodyTooBig) response ??= await fetch(this.#request(method, url));
    } catch (error) {
      if (!this.#bodyTooBig && !this.#left.signal.aborted) report(asError(error));
    }
    if (this.#bodyTooBig) {
      response = new Response("body too big\n", { status: 413, headers: { Connection: "close" } });
    }
    try {
      await this.#write(response ?? internalError());
    } catch (error) {
      // The head is out: only cutting the connection tells the peer that the rest will not come.
      this.#outgoing.destroy();
      if (!this.#left.signal.aborted) report(asError(error));
    }
  }

  #request(method: string, url: string): Request {
    const init: RequestInit & { duplex: "half" } = {
      method,
      headers: headersOf(this.#incoming),
      signal: this.#left.signal,
      duplex: "half",
    };
    if (method !== "GET" && method !== "HEAD") init.body = ReadableStream.from(this.#body());
    return new Request(url, init);
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of this.#incoming) {
      bytes += chunk.length;
      if (bytes > this.#bodyBytesMax) {
        this.#bodyTooBig = true;
        throw new RangeError(`The body of a request is over ${this.#bodyBytesMax} bytes`);
      }
      yield chunk;
    }
  }

  async #write(response: Response): Promise<void> {
    const outgoing = this.#outgoing;
    const reader = response.body?.getReader();
    const first = await reader?.read();
    // A body that is there in one piece gets a length; one that goes on is sent as it comes.
    const second = first?.done === false ? reader?.read() : undefined;
    const whole = second === undefined ||
      (await Promise.race([second, nextTurn()]))?.done === true;
    const headers = headerPairs(response.headers);
    if (whole && !response.headers.has("content-length") && hasBody(response.status)) {
      headers.push("Content-Length", String(first?.value?.length ?? 0));
    }
    outgoing.writeHead(response.status, headers);
    let next = first;
    let ahead = second;
    while (next?.done === false && this.#incoming.method !== "HEAD") {
      if (!outgoing.write(next.value)) await this.#drained();
      if (this.#left.signal.aborted) break;
      next = await (ahead ?? reader?.read());
      ahead = undefined;
    }
    if (next?.done === false) await reader?.cancel();
    outgoing.end();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#outgoing.once("drain", resolve);
      this.#left.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/** The absolute URL of a request; not a valid one when its target or Host are not. */
export function urlOf(incoming: IncomingMessage): string {
  return absoluteUrl(incoming.url ?? "", incoming.headers.host ?? null);
}

export function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  const raw = incoming.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? "", raw[i + 1] ?? "");
  return headers;
}

/** Writes a response to a socket that `node:http` has let go of, and ends the connection. */
export async function writeRawResponse(socket: Socket, response: Response): Promise<void> {
  const body = new Uint8Array(await response.arrayBuffer());
  const pairs = headerPairs(response.headers);
  const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`];
  for (let i = 0; i + 1 < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`);
  lines.push(`Content-Length: ${body.length}`, "Connection: close", "", "");
  socket.write(lines.join("\r\n"));
  socket.end(body, () => socket.destroy());
}

function headerPairs(headers: Headers): string[] {
  return [...headers].flat();
}

function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

function nextTurn(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 0));
}
