import git from "isomorphic-git";
import { FileError } from "../../ports/files.ts";
import { GitHttpError, type GitIo } from "../../ports/git_io.ts";
import { checkPack } from "./pack_check.ts";
import { PackageError } from "./package_error.ts";
import { packageLimits } from "./package_limits.ts";
import type { ProgressSteps } from "./packages_progress.ts";

/** An entry of a directory in a repository. */
export interface GitEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "link" | "submodule";
  readonly hash: string;
}

/** What all calls for one package share. */
export interface GitContext {
  readonly io: GitIo;
  readonly signal: AbortSignal;
  readonly steps: ProgressSteps;
}

/** The library's names of what it is doing with what it received. */
const indexing = ["Receiving objects", "Resolving deltas"];

const REMOTE = "origin";

/**
 * The repository in a `.git` directory. Errors are PackageError, FileError, GitHttpError, and the
 * signal's reason.
 */
export class GitRepository {
  readonly #context: GitContext;
  readonly #gitdir: string;
  readonly #fs: { promises: GitIo["files"]["library"] };
  readonly #cache = {};

  constructor(context: GitContext, gitdir: string) {
    this.#context = context;
    this.#gitdir = gitdir;
    const { library } = context.io.files;
    // The other side names branches, which become files: none of them outside, whatever the library
    // makes of it.
    const inside = async (path: string) => {
      context.signal.throwIfAborted();
      const [own, other] = [partsOf(gitdir), partsOf(path)];
      const isInside = own.every((part, i) => part === other[i]);
      if (!isInside || other.slice(own.length).includes("..")) {
        throw new PackageError("its repository has a branch that would lead out of it");
      }
    };
    this.#fs = {
      promises: {
        ...library,
        async writeFile(path, data, options) {
          await inside(path);
          // This is when what came from outside is first seen, and before it is inflated.
          if (path.endsWith(".pack") && typeof data !== "string") checkPack(context.io, data);
          await library.writeFile(path, data, options);
        },
        unlink: async (path) => {
          await inside(path);
          await library.unlink(path);
        },
        mkdir: async (path) => {
          await inside(path);
          await library.mkdir(path);
        },
        rmdir: async (path) => {
          await inside(path);
          await library.rmdir(path);
        },
      },
    };
  }

  /** Makes an empty one whose origin is `url`, where line ends stay as they are. */
  async init(url: string): Promise<void> {
    const at = this.#at();
    await this.#explained(async () => {
      await git.init({ fs: at.fs, gitdir: at.gitdir, bare: true });
      const config = { "core.bare": false, "core.autocrlf": false };
      for (const [path, value] of Object.entries(config)) {
        await git.setConfig({ ...at, path, value });
      }
      await git.addRemote({ ...at, remote: REMOTE, url });
    });
  }

  /** What HEAD is on the other side. */
  async remoteHead(url: string): Promise<string> {
    const refs = await this.#explained(() =>
      git.listServerRefs({ http: this.#http(packageLimits.listBytesMax), url, protocolVersion: 1 })
    );
    const head = refs.find(({ ref }) => ref === "HEAD")?.oid;
    if (head === undefined) throw new PackageError("its repository is empty");
    return checkedHash(head);
  }

  /** Fetches a commit, by default HEAD of the other side: with those since the commit that HEAD is
   * at here, or, `alone`, without any other. Gives its hash. */
  async fetch(
    url: string,
    { hash, alone }: { hash: string | undefined; alone: boolean },
  ): Promise<string> {
    const { fetchHead } = await this.#explained(() =>
      git.fetch({
        ...this.#at(),
        http: this.#http(packageLimits.packBytesMax),
        remote: REMOTE,
        url,
        ref: hash ?? "HEAD",
        remoteRef: hash ?? "HEAD",
        singleBranch: true,
        tags: false,
        // Beside a depth servers do not look at what is here: they would send all of it again.
        ...alone ? { depth: 1 } : {},
        onProgress: ({ phase, loaded, total }) => {
          if (indexing.includes(phase)) this.#context.steps.at("index", loaded, total);
        },
      })
    );
    if (fetchHead === null) throw new PackageError("its repository is empty");
    return checkedHash(fetchHead);
  }

  /** The commit that HEAD is at; undefined where there is none. */
  async head(): Promise<string | undefined> {
    try {
      return await git.resolveRef({ ...this.#at(), ref: "HEAD" });
    } catch (error) {
      if (error instanceof FileError || codeOf(error) !== "NotFoundError") throw explain(error);
      return undefined;
    }
  }

  /** Its address of the other side; undefined when it has none. */
  async origin(): Promise<string | undefined> {
    const path = `remote.${REMOTE}.url`;
    const url: unknown = await this.#explained(() => git.getConfig({ ...this.#at(), path }));
    return typeof url === "string" ? url : undefined;
  }

  /** Puts HEAD at a commit, on no branch. */
  async setHead(hash: string): Promise<void> {
    await this.#explained(() =>
      git.writeRef({ ...this.#at(), ref: "HEAD", value: hash, force: true })
    );
  }

  /** The entries of a tree, or of the tree of a commit. */
  async entries(hash: string): Promise<GitEntry[]> {
    const { tree } = await this.#explained(() =>
      git.readTree({ ...this.#at(), cache: this.#cache, oid: hash })
    );
    return tree.map(({ path, mode, oid }) => ({ name: path, kind: kindOf(mode), hash: oid }));
  }

  async blob(hash: string): Promise<Uint8Array> {
    const { blob } = await this.#explained(() =>
      git.readBlob({ ...this.#at(), cache: this.#cache, oid: hash })
    );
    return blob;
  }

  #at() {
    return { fs: this.#fs, gitdir: this.#gitdir };
  }

  #http(bodyBytesMax: number) {
    const { io, signal, steps } = this.#context;
    return {
      async request(
        { url, method = "GET", headers = {}, body }: {
          url: string;
          method?: string;
          headers?: Record<string, string>;
          body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
        },
      ) {
        steps.at("connect");
        const parts: Uint8Array[] = [];
        if (body !== undefined) { for await (const part of body) parts.push(part); }
        const response = await io.http.request({
          url,
          method,
          headers,
          body: parts.length === 0 ? undefined : joined(parts),
          signal,
          bodyBytesMax: method === "POST" ? bodyBytesMax : packageLimits.listBytesMax,
        });
        const counted = method === "POST" && response.statusCode === 200;
        return counted ? { ...response, body: countBytes(response.body, steps) } : response;
      },
    };
  }

  async #explained<Value>(call: () => Promise<Value>): Promise<Value> {
    this.#context.signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      this.#context.signal.throwIfAborted();
      throw explain(error);
    }
  }
}

function checkedHash(text: string): string {
  if (/^[0-9a-f]{40}$/.test(text)) return text;
  throw new PackageError("its repository names a commit as none can be named");
}

/** Without those that mean nothing, which the library leaves out: "./a//b" is "a/b" to it. */
function partsOf(path: string): string[] {
  return path.split("/").filter((part, i) => part !== "." && (part !== "" || i === 0));
}

async function* countBytes(
  body: AsyncIterable<Uint8Array>,
  steps: ProgressSteps,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  for await (const chunk of body) {
    received += chunk.length;
    steps.at("receive", received);
    yield chunk;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function kindOf(mode: string): GitEntry["kind"] {
  if (mode === "040000") return "directory";
  if (mode === "160000") return "submodule";
  return mode === "120000" ? "link" : "file";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function explain(error: unknown): unknown {
  const isKnown = error instanceof PackageError || error instanceof FileError ||
    error instanceof GitHttpError;
  if (isKnown) return error;
  const code = codeOf(error);
  if (code === "HttpError") {
    const reason = explainStatus(error);
    if (isPassing(error)) return new GitHttpError(reason, { mayRetry: true, cause: error });
    return new PackageError(reason, { cause: error });
  }
  const known = typeof code === "string" ? explanations[code] : undefined;
  const found = error instanceof Error ? error.message : String(error);
  const line = known ?? `git: ${found.replace(/\s+/g, " ").slice(0, 300)}`;
  return new PackageError(line, { cause: error });
}

const explanations: Readonly<Record<string, string>> = {
  NotFoundError: "its repository does not have, or did not send, all that belongs to the commit",
  SmartHttpError: "no git repository answers at its address",
  ParseError: "no git repository answers at its address",
  EmptyServerResponseError: "no git repository answers at its address",
  UnsafeFilepathError: "its repository has a name in it that would lead out of the package",
  RemoteCapabilityError: "its server cannot give one commit without those before it",
};

function statusOf(error: unknown): unknown {
  const isHttp = error instanceof Error && "data" in error;
  return isHttp ? (error.data as { statusCode?: unknown }).statusCode : undefined;
}

/** Too many requests, and what stands before a server that is away. */
function isPassing(error: unknown): boolean {
  return [429, 502, 503, 504].includes(Number(statusOf(error)));
}

function explainStatus(error: unknown): string {
  const statusCode = statusOf(error);
  if (statusCode === 404) return "there is no repository at its address (HTTP 404)";
  if (statusCode === 401 || statusCode === 403) {
    return `its repository is not open to everybody (HTTP ${statusCode})`;
  }
  return `its server answers with HTTP ${String(statusCode)}`;
}
