import { FileError, type FilesPort } from "../ports/files.ts";
import type { Random } from "../ports/random.ts";

/** Where the admin's files are, below the data directory. */
export const adminDirectory = "server";
/** Says how to reach the server that runs here; its owner alone may read it. */
export const tokenPath = `${adminDirectory}/admin.token`;
/** Each use of an admin command, a line of JSON. */
export const auditLogPath = `${adminDirectory}/admin.log`;
/** What was typed into the shell. */
export const historyPath = `${adminDirectory}/admin.history`;

const tokenBytes = 32;
/** Ours has some 150. */
const tokenFileBytesMax = 4_096;

/** What the token file holds. */
export interface AdminDoor {
  /** `http://127.0.0.1:8080/api/admin`; null while HTTP is off. */
  readonly url: string | null;
  readonly token: string;
  /** The server's process. */
  readonly pid: number;
}

/** A secret that nobody guesses: 43 characters of base64url (RFC 4648 §5). */
export function newToken(random: Random): string {
  return btoa(String.fromCharCode(...random.bytes(tokenBytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Tells those who may read the file how to reach this server. Rejects with FileError. */
export async function writeDoor(files: FilesPort, door: AdminDoor): Promise<void> {
  await files.makeDirectory(adminDirectory, { mode: 0o700 });
  const bytes = new TextEncoder().encode(`${JSON.stringify(door)}\n`);
  await files.replace(tokenPath, bytes, { mode: 0o600 });
}

/** How to reach the server of this directory; a text says in one line why that is not known. */
export async function readDoor(files: FilesPort, directory: string): Promise<AdminDoor | string> {
  try {
    const bytes = await files.read(tokenPath, { bytesMax: tokenFileBytesMax });
    const door = doorOf(JSON.parse(new TextDecoder().decode(bytes)));
    if (door !== undefined) return door;
  } catch (error) {
    if (error instanceof FileError && error.code === "ENOENT") {
      return `No game server runs in "${directory}": there is no ${tokenPath}; start one, or go to its directory`;
    }
    if (error instanceof FileError) return error.message;
    if (!(error instanceof SyntaxError)) throw error;
  }
  return `Cannot use ${tokenPath} in "${directory}": it was not written by freekill-gw; restart the server`;
}

function doorOf(value: unknown): AdminDoor | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { url, token, pid } = value as Record<string, unknown>;
  if (typeof token !== "string" || !/^[\w-]*$/.test(token)) return undefined;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (url !== null && !(typeof url === "string" && URL.canParse(url))) return undefined;
  return { url, token, pid };
}
