import type { Logger } from "../ports/log.ts";
import type { ProcessPort } from "../ports/process.ts";

/** Files that the program needs besides its connections, HTTP included; a quarter if those are fewer. */
const reservedFilesMax = 512;
const connectionsMax = 100_000;
/** Below it an operator should know. */
const fileLimitLow = 4_096;
/** Where the system does not say how many files a process may open. */
const defaultFileLimit = 1_024;

/** How many connections may be open at a time: as many as are asked for, or, where that is 0, as the
 * limit of open files leaves room for. A low one is in the log. */
export function allowedConnections(
  asked: number,
  { process, logger }: { process: ProcessPort; logger: Logger },
): number {
  if (asked > 0) return asked;
  const limit = process.fileDescriptorLimit() ?? defaultFileLimit;
  const connections = connectionsFor(limit);
  if (limit < fileLimitLow) {
    logger.warn(
      { file_limit: limit, max_connections: connections },
      "few files may be opened here: raise the limit (ulimit -n) for more connections",
    );
  }
  return connections;
}

/** Connections that a limit of open files leaves room for. */
export function connectionsFor(fileLimit: number): number {
  const reserved = Math.min(reservedFilesMax, Math.ceil(fileLimit / 4));
  return Math.max(1, Math.min(connectionsMax, fileLimit - reserved));
}
