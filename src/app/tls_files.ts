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

/** What became of reading the files again. */
export type TlsReload =
  | { readonly kind: "taken_over" | "unchanged" }
  /** Nothing has changed; why, in one line. */
  | { readonly kind: "refused"; readonly reason: string };

export interface TlsFilesParts {
  readonly files: Pick<FilesPort, "read" | "info">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: TlsSettings;
  readonly server: Pick<HttpServer, "replaceTls">;
  /** What it has now. */
  readonly inUse: TlsKeyPair;
}

/**
 * Gives the server its certificate again whenever the files are others, as programs that renew
 * certificates leave them. A pair that cannot be used, such as one of which only half is there yet,
 * changes nothing and is looked at again when the files change again.
 */
export class TlsFiles {
  readonly #parts: TlsFilesParts;
  #inUse: TlsKeyPair;
  #known: string | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #isLooking = false;
  #stop: () => void = () => {};

  constructor(parts: TlsFilesParts) {
    this.#parts = parts;
    this.#inUse = parts.inUse;
  }

  /** `known` are the files as `marks` gave them before they were read. */
  start(known: string): void {
    this.#known = known;
    this.#stop = this.#parts.clock.every(lookMs, () => void this.#look());
  }

  stop(): void {
    this.#stop();
  }

  /** Reads the files now, and gives them to the server if they are others. */
  reload(): Promise<TlsReload> {
    // One after the other: what was read first must not be what the server has in the end.
    const reload = this.#last.then(() => this.#reload());
    this.#last = reload.catch(() => {});
    return reload;
  }

  async #reload(): Promise<TlsReload> {
    const { files, settings, server } = this.#parts;
    const { certificate, key } = this.#inUse;
    try {
      const pair = await readTlsFiles(files, settings);
      if (pair.certificate === certificate && pair.key === key) return { kind: "unchanged" };
      server.replaceTls(pair);
      this.#inUse = pair;
      return { kind: "taken_over" };
    } catch (error) {
      if (error instanceof FileError) return { kind: "refused", reason: error.message };
      if (error instanceof TlsKeyError) {
        return { kind: "refused", reason: showTlsFault(error, settings) };
      }
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
      const reload = await this.reload();
      if (reload.kind === "taken_over") {
        logger.info({}, "the certificate of the HTTP port was replaced");
      } else if (reload.kind === "refused") {
        const { reason } = reload;
        logger.error({ reason }, "the certificate of the HTTP port stays: the new one is no use");
      }
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
