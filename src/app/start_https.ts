import type { Settings } from "../config/settings.ts";
import type { HttpListenOptions, HttpServer } from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { TlsKeyError } from "../ports/tls_key_error.ts";
import {
  isTlsOn,
  readTlsFiles,
  showTlsFault,
  TlsFiles,
  tlsMarks,
  type TlsReload,
} from "./tls_files.ts";

/** The HTTP port as it listens. */
export interface HttpSide {
  readonly port: number;
  /** Where the operator's commands reach it, without TLS. */
  readonly plain: { readonly host: string; readonly port: number };
  /** Reads the certificate and its key again; undefined without TLS. */
  reloadTls(): Promise<TlsReload | undefined>;
  close(): Promise<void>;
}

/** A certificate or key that the operator has to look after. */
export class TlsFilesError extends Error {
  override readonly name = "TlsFilesError";
}

interface HttpsParts {
  readonly runtime: Pick<Runtime, "files" | "clock" | "http">;
  readonly settings: Settings;
  readonly logger: Logger;
  /** Whether somebody on this machine is to have a port without TLS. */
  readonly hasAdmin: boolean;
}

/**
 * Listens as configured, over TLS where there is a certificate. The operator's command then gets a
 * port of its own, of this machine alone: it has no means to know the certificate. Rejects with
 * BindError, FileError, or TlsFilesError.
 */
export async function listenHttp<T>(
  options: HttpListenOptions<T>,
  parts: HttpsParts,
): Promise<HttpSide> {
  const { runtime: { files, clock, http }, settings, logger } = parts;
  if (!isTlsOn(settings)) {
    const server = await http.listen(options);
    return {
      port: server.port,
      plain: { host: options.host, port: server.port },
      reloadTls: () => Promise.resolve(undefined),
      close: () => server.close(),
    };
  }
  const marks = await tlsMarks(files, settings);
  const tls = await readTlsFiles(files, settings);
  const server = await http.listen({ ...options, tls }).catch((error) => {
    if (!(error instanceof TlsKeyError)) throw error;
    throw new TlsFilesError(showTlsFault(error, settings), { cause: error });
  });
  const tlsFiles = new TlsFiles({ files, clock, logger, settings, server, inUse: tls });
  tlsFiles.start(marks);
  let forAdmin: HttpServer | undefined;
  if (parts.hasAdmin) {
    const { webSocket: _webSocket, ...plain } = options;
    forAdmin = await http.listen({ ...plain, host: "127.0.0.1", port: 0 });
  }
  return {
    port: server.port,
    plain: { host: forAdmin?.host ?? options.host, port: forAdmin?.port ?? server.port },
    reloadTls: () => tlsFiles.reload(),
    async close() {
      tlsFiles.stop();
      await Promise.all([server.close(), forAdmin?.close()]);
    },
  };
}
