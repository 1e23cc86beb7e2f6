import { brokenFile } from "../config/faults.ts";
import { gameConfigPath } from "../config/game_document.ts";
import {
  defaultConfigPath,
  type LoadInput,
  type LoadResult,
  loadSettings,
} from "../config/load_settings.ts";
import { routeFilePath } from "../config/route_file.ts";
import {
  loadSettingsByThread,
  type SettingsReply,
  type SettingsRequest,
} from "../config/settings_work.ts";
import { FileError, type FilesPort } from "../ports/files.ts";
import type { Runtime } from "../ports/runtime.ts";

/** Files of this size in all are read in a few milliseconds, and need no thread. */
const smallBytesMax = 131_072;

/** The files that a configuration is read from, whether they are there or not. */
export function configPaths(input: Pick<LoadInput, "configPath">): readonly string[] {
  return [input.configPath ?? defaultConfigPath, gameConfigPath, routeFilePath];
}

/** `loadSettings` for a server that is running: many rules hold up nobody. */
export async function readSettings(runtime: Runtime, input: LoadInput): Promise<LoadResult> {
  if (await bytesOf(runtime.files, configPaths(input)) <= smallBytesMax) {
    return await loadSettings(input);
  }
  let reply = Promise.withResolvers<SettingsReply>();
  const worker = runtime.workers.start<SettingsRequest, SettingsReply>({
    entry: "config_worker",
    name: "config",
    handlers: {
      message: (message) => reply.resolve(message),
      error: (error) => reply.reject(error),
    },
  });
  try {
    return await loadSettingsByThread({
      post: (request) => {
        reply = Promise.withResolvers();
        // Its failure is told to whoever waits for the reply.
        reply.promise.catch(() => {});
        worker.post(request);
      },
      reply: () => reply.promise,
      pause: () => new Promise((resolve) => runtime.clock.after(0, resolve)),
    }, input);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, faults: [brokenFile("configuration", `it cannot be read (${reason})`)] };
  } finally {
    worker.terminate();
  }
}

async function bytesOf(files: FilesPort, paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => {
    try {
      return (await files.info(path))?.bytes ?? 0;
    } catch (error) {
      // Whoever reads it says so.
      if (error instanceof FileError) return 0;
      throw error;
    }
  }));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
