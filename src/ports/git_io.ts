/** What fetching git repositories needs of the world besides `FilesPort`: files as a git library
 * calls them, HTTP, and streams of zlib format that stand in each other's way in a pack. */
export interface GitIo {
  readonly files: GitFiles;
  readonly http: GitHttp;
  /**
   * The zlib stream that begins at `from`, and where it ends; undefined when it is broken, cut
   * short or holds more than `outputBytesMax` bytes, of which no more than that is ever held.
   */
  inflateAt(
    bytes: Uint8Array,
    from: number,
    limits: { readonly outputBytesMax: number },
  ): { readonly output: Uint8Array; readonly end: number } | undefined;
}

export interface GitFiles {
  /** In the shape of `node:fs/promises`, with its errors. What is written is synced; no links are
   * made. */
  readonly library: GitLibraryFiles;
  /** Writes a file that is not there yet, and syncs it. Rejects with FileError. */
  writeNew(path: string, bytes: Uint8Array): Promise<void>;
  /** Copies a file to a path where nothing is yet, and syncs it. Rejects with FileError, EFBIG when
   * it has more bytes. Resolves to how many it has. */
  copyNew(from: string, to: string, options: { readonly bytesMax: number }): Promise<number>;
  /** What is at a path itself: a link is not followed. */
  kindOf(path: string): Promise<"file" | "directory" | "link" | "other" | "nothing">;
  /** Makes the names in a directory survive a power loss. */
  syncDirectory(path: string): Promise<void>;
}

export interface GitLibraryFiles {
  readFile(path: string, options?: unknown): Promise<Uint8Array | string>;
  writeFile(path: string, data: Uint8Array | string, options?: unknown): Promise<void>;
  unlink(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  stat(path: string): Promise<unknown>;
  lstat(path: string): Promise<unknown>;
  readlink(path: string): Promise<unknown>;
  symlink(target: string, path: string): Promise<void>;
}

/** What the other side or the network did; the message is one line without the address. */
export class GitHttpError extends Error {
  override readonly name = "GitHttpError";
  /** Whether another try may well go better. */
  readonly mayRetry: boolean;

  constructor(message: string, options: { mayRetry: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.mayRetry = options.mayRetry;
  }
}

export interface GitHttp {
  /**
   * One request, in the shape of isomorphic-git's `HttpClient`. Redirections are followed with the
   * same method and body, only to http and https, and never from https to http. Rejects with
   * GitHttpError for what the network or the other side did, with the signal's reason when that is
   * aborted; the body of the response likewise.
   */
  request(request: GitHttpRequest): Promise<GitHttpResponse>;
}

export interface GitHttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** Of the response's body. */
  readonly bodyBytesMax: number;
}

export interface GitHttpResponse {
  readonly url: string;
  readonly method: string;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: Record<string, string>;
  readonly body: AsyncIterableIterator<Uint8Array>;
}
