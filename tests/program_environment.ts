import { createServer } from "node:net";
import process from "node:process";

/** This environment without settings for the program and without a service manager. */
export function cleanEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    const isOurs = name.startsWith("FREEKILL_GW_") || name.startsWith("BUN_") ||
      name === "NOTIFY_SOCKET";
    if (value !== undefined && !isOurs) kept[name] = value;
  }
  return kept;
}

/** Below those that systems give to outgoing connections, one of which could take a port between two
 * runs of a program. */
const portMin = 10_000;
const portMax = 32_000;
const portAttemptsMax = 50;

/** A TCP port that was free a moment ago, and that only another test could take meanwhile. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < portAttemptsMax; attempt++) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    if (await isFree(port)) return port;
  }
  throw new Error(`Cannot find a free port: ${portAttemptsMax} of ${portMin}–${portMax} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: Error & { code?: string }) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
