import { execFileSync, spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { type TreeEntry, writeTree } from "./package_tree.ts";

/** Why tests with real repositories are skipped; false when they are not. */
export const noGit: string | false = (() => {
  try {
    git(".", ["http-backend", "--help"], "");
    return false;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code === "ENOENT" ? "there is no git on this machine to make repositories with" : false;
  }
})();

/** Runs git with nothing of this machine's own configuration; gives what it prints. */
export function git(directory: string, args: readonly string[], input?: string | Uint8Array) {
  const output = execFileSync("git", ["-c", "safe.directory=*", ...args], {
    cwd: directory,
    env: gitEnvironment(),
    input,
    stdio: ["pipe", "pipe", "ignore"],
    maxBuffer: 64 * 1_024 * 1_024,
  });
  return new TextDecoder().decode(output).trim();
}

function gitEnvironment(): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@example.org",
    GIT_COMMITTER_NAME: "A",
    GIT_COMMITTER_EMAIL: "a@example.org",
  };
}

/** Makes a repository with a work tree and one commit; gives the commit. */
export async function makeRepository(
  directory: string,
  files: Readonly<Record<string, TreeEntry>>,
): Promise<string> {
  await writeTree(directory, files);
  git(directory, ["init", "--quiet", "--initial-branch=main"]);
  return commitAll(directory);
}

/** Commits what the work tree is; gives the commit. */
export function commitAll(directory: string): string {
  git(directory, ["add", "--all"]);
  git(directory, ["commit", "--quiet", "--allow-empty", "--message=change"]);
  return git(directory, ["rev-parse", "HEAD"]);
}

export interface RawEntry {
  readonly mode: string;
  readonly name: string;
  readonly hash: string;
}

/** Writes a tree as it is given, which git itself would refuse; gives its hash. */
export function writeRawTree(directory: string, entries: readonly RawEntry[]): string {
  const parts = entries.map(({ mode, name, hash }) => [
    new TextEncoder().encode(`${mode} ${name}\0`),
    Uint8Array.from(hash.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
  ]);
  const bytes = new Uint8Array(parts.flat().flatMap((part) => [...part]));
  return git(directory, ["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], bytes);
}

export function writeBlob(directory: string, text: string): string {
  return git(directory, ["hash-object", "-w", "--stdin"], text);
}

/** Puts a commit with this tree at HEAD; gives it. */
export function commitTree(directory: string, tree: string): string {
  const text = `tree ${tree}\nauthor A <a@example.org> 1 +0000\n` +
    "committer A <a@example.org> 1 +0000\n\nchange\n";
  const hash = git(
    directory,
    ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
    text,
  );
  git(directory, ["update-ref", "--no-deref", "refs/heads/main", hash]);
  return hash;
}

export interface GitServer {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  /** Bytes of packs that were sent, one number for each. */
  readonly sent: number[];
  /** Takes a request over; false leaves it to git. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): Promise<void>;
}

/** Serves the repositories in a directory over smart HTTP, by `git http-backend`. */
export async function serveRepositories(directory: string): Promise<GitServer> {
  const sent: number[] = [];
  const server = createServer((request, response) => {
    if (served.intercept(request, response)) return;
    runBackend(directory, request, response, sent);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const served: GitServer = {
    url: `http://127.0.0.1:${port}`,
    sent,
    intercept: () => false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return served;
}

function runBackend(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
  sent: number[],
): void {
  const url = new URL(request.url ?? "/", "http://localhost");
  const child = spawn("git", ["-c", "safe.directory=*", "http-backend"], {
    env: {
      ...gitEnvironment(),
      // As a host allows that gives any commit it has.
      GIT_CONFIG_COUNT: "2",
      GIT_CONFIG_KEY_0: "uploadpack.allowAnySHA1InWant",
      GIT_CONFIG_VALUE_0: "true",
      GIT_CONFIG_KEY_1: "safe.directory",
      GIT_CONFIG_VALUE_1: "*",
      GIT_PROJECT_ROOT: directory,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      REMOTE_ADDR: "127.0.0.1",
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin);
  const parts: Uint8Array[] = [];
  child.stdout.on("data", (part: Uint8Array) => parts.push(part));
  child.on("close", () => {
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    const headers = text.slice(0, end).split("\r\n").map((line) => line.split(": "));
    const status = headers.find(([name]) => name === "Status")?.[1];
    response.statusCode = parseInt(status ?? "200");
    for (const [name = "", value = ""] of headers) {
      if (name !== "Status") response.setHeader(name, value);
    }
    if (request.method === "POST") sent.push(bytes.length - end - 4);
    response.end(bytes.subarray(end + 4));
  });
}
