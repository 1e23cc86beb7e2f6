import { CryptoError, type RsaKeyPairPem } from "../../ports/crypto.ts";
import { FileError, type FilesPort } from "../../ports/files.ts";

/** Makes and reads RSA keys; the crypto worker does, away from the serving thread. */
export interface KeyMaker {
  generateKeyPair(): Promise<RsaKeyPairPem>;
  /** Takes a private key into use. Rejects with CryptoError when it is none. */
  openKey(privatePem: string): Promise<OpenedKey>;
}

export interface OpenedKey {
  /** PKCS#1 with its final newline: what clients get. */
  readonly publicPem: string;
  readonly modulusBytes: number;
}

export interface ServerKeys extends OpenedKey {
  /** What was done about the files, one line each, for the log. */
  readonly notes: readonly string[];
}

/** The server cannot start with these keys; one line says which file and why. */
export class ServerKeysError extends Error {
  override readonly name = "ServerKeysError";
}

const FILE_MODE = 0o600;

/** A PEM of 4,096 bits has 3.3 KB. */
const FILE_BYTES_MAX = 16_384;

/** Less can be broken; more costs too much at each login. */
const MODULUS_BYTES_MIN = 256;
const MODULUS_BYTES_MAX = 512;

/**
 * The key pair in `rsa` and `rsa_pub` of `directory` (`server/`), made when there is none. The
 * private file is what counts: a public one that is missing or belongs to another key is written
 * anew. Throws ServerKeysError.
 */
export async function openServerKeys(
  parts: { files: FilesPort; keys: KeyMaker; directory: string },
): Promise<ServerKeys> {
  const { files, keys } = parts;
  const privatePath = `${parts.directory}/rsa`;
  const publicPath = `${parts.directory}/rsa_pub`;
  const notes: string[] = [];
  try {
    let privatePem = await readText(files, privatePath);
    if (privatePem === undefined) {
      ({ privatePem } = await keys.generateKeyPair());
      await files.makeDirectory(parts.directory);
      // First: with this file alone the next start finds its way.
      await write(files, privatePath, privatePem);
      notes.push(`made a new RSA key "${privatePath}"`);
    }
    const opened = await keys.openKey(privatePem);
    if (opened.modulusBytes < MODULUS_BYTES_MIN || opened.modulusBytes > MODULUS_BYTES_MAX) {
      throw new ServerKeysError(
        `Cannot use RSA key "${privatePath}": it has ${opened.modulusBytes * 8} bits, ${
          MODULUS_BYTES_MIN * 8
        }–${MODULUS_BYTES_MAX * 8} are allowed`,
      );
    }
    const publicPem = await readText(files, publicPath);
    if (publicPem?.trim() !== opened.publicPem.trim()) {
      await write(files, publicPath, opened.publicPem);
      const why = publicPem === undefined ? "it was missing" : "it belonged to another key";
      notes.push(`wrote "${publicPath}" anew: ${why}`);
    }
    return { ...opened, notes };
  } catch (error) {
    if (error instanceof CryptoError) {
      throw new ServerKeysError(`Cannot use RSA key "${privatePath}": ${error.message}`);
    }
    if (error instanceof FileError) throw new ServerKeysError(error.message, { cause: error });
    throw error;
  }
}

async function readText(files: FilesPort, path: string): Promise<string | undefined> {
  if (await files.info(path) === undefined) return undefined;
  return new TextDecoder().decode(await files.read(path, { bytesMax: FILE_BYTES_MAX }));
}

function write(files: FilesPort, path: string, text: string): Promise<void> {
  return files.replace(path, new TextEncoder().encode(text), { mode: FILE_MODE });
}
