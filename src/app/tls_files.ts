import type { Settings } from "../config/settings.ts";
import type { Clock } from "../ports/clock.ts";
import { FileError, type FilesPort } from "../ports/files.ts";
import type { HttpServer, TlsKeyPair } from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import { TlsKeyError } from "../ports/tls_key_error.ts";

/** Far more than a chain of certificates takes. */
const fileBytesMax = 1_048_576;
/** How often it is looked whether the files are others. */
const lookMs = 5_000;

type TlsSettings = Pick<Settings, "tls_cert" | "tls_key">;

/** Whether the HTTP port is one of HTTPS. */
export function isTlsOn({ tls_cert, tls_key }: TlsSettings): boolean {
  return tls_cert !== "" && tls_key !== "";
}

/** Reads certificate and key. Rejects with FileError. */
export async function readTlsFiles(
  files: Pick<FilesPort, "read">,
  { tls_cert, tls_key }: TlsSettings,
): Promise<TlsKeyPair> {
  const [certificate, key] = await Promise.all(
    [tls_cert, tls_key].map((path) => files.read(path, { bytesMax: fileBytesMax })),
  );
  return { certificate: textOf(certificate), key: textOf(key) };
}

/** What is wrong with certificate or key, in one line with the key of the configuration. */
export function showTlsFault(error: TlsKeyError, { tls_cert, tls_key }: TlsSettings): string {
  const [name, path] = error.part === "key" ? ["tls_key", tls_key] : ["tls_cert", tls_cert];
  return `Cannot use ${name} "${path}": ${error.message}`;
}

export interface TlsFilesParts {
  readonly files: Pick<FilesPort, "read" | "info">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: TlsSettings;
  readonly server: Pick<HttpServer, "replaceTls">;
}

/**
 * Gives the server its certificate again whenever the files are others, as programs that renew
 * certificates leave them. A pair that cannot be used, such as one of which only half is there yet,
 * changes nothing and is looked at again when the files change again.
 */
export class TlsFiles {
  readonly #parts: TlsFilesParts;
  #known: string | undefined;
  #isLooking = false;
  #stop: () => void = () => {};

  constructor(parts: TlsFilesParts) {
    this.#parts = parts;
  }

  /** `known` are the files as `marks` gave them before they were read. */
  start(known: string): void {
    this.#known = known;
    this.#stop = this.#parts.clock.every(lookMs, () => void this.#look());
  }

  stop(): void {
    this.#stop();
  }

  /** Reads the files now. Gives the reason, in one line, when they cannot be used: then nothing has
   * changed. */
  async reload(): Promise<string | undefined> {
    const { files, settings, server } = this.#parts;
    try {
      server.replaceTls(await readTlsFiles(files, settings));
      return undefined;
    } catch (error) {
      if (error instanceof FileError) return error.message;
      if (error instanceof TlsKeyError) return showTlsFault(error, settings);
      throw error;
    }
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { files, settings, logger } = this.#parts;
    try {
      const marks = await tlsMarks(files, settings);
      if (marks === this.#known) return;
      this.#known = marks;
      const reason = await this.reload();
      if (reason === undefined) logger.info({}, "the certificate of the HTTP port was replaced");
      else {logger.error(
          { reason },
          "the certificate of the HTTP port stays: the new one is no use",
        );}
    } catch (error) {
      logger.error({ error: String(error) }, "cannot look after the certificate of the HTTP port");
    } finally {
      this.#isLooking = false;
    }
  }
}

/** Tells one state of the two files from another. Rejects with FileError. */
export async function tlsMarks(
  files: Pick<FilesPort, "info">,
  { tls_cert, tls_key }: TlsSettings,
): Promise<string> {
  const infos = await Promise.all([tls_cert, tls_key].map((path) => files.info(path)));
  return infos.map((info) => `${info?.changedMs} ${info?.modifiedMs} ${info?.bytes}`).join(", ");
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}
