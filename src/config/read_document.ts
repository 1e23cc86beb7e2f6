import { brokenFile, showFound } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { parseJsonc } from "./jsonc.ts";

/** More is no configuration; reading it would only hold up the start. A file with a million routes
 * has about 80 MB. */
export const configBytesMax: number = 256 * 2 ** 20;
/** Of files without routes. */
export const smallFileBytesMax: number = 16 * 2 ** 20;

/** What is needed of the files port. */
export interface SettingsFiles {
  info(path: string): Promise<{ kind: "file" | "directory" | "other"; bytes: number } | undefined>;
  read(
    path: string,
    options: { bytesMax: number; cut?: false } | { bytesMax: number; cut: true },
  ): Promise<Uint8Array>;
}

export type DocumentResult =
  /** `path` is undefined when there is no such file; the document is empty then. */
  | { readonly ok: true; readonly path: string | undefined; readonly document: unknown }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads a file of JSON with comments. Rejects only for what is no failure of the file system. */
export async function readDocument(
  files: SettingsFiles,
  { path, isRequired, bytesMax }: { path: string; isRequired: boolean; bytesMax: number },
): Promise<DocumentResult> {
  const source = sourceOfFile(path);
  const refuse = (problem: string): DocumentResult => ({
    ok: false,
    faults: [brokenFile(source, problem)],
  });
  let bytes: Uint8Array;
  try {
    const info = await files.info(path);
    if (info === undefined) {
      if (isRequired) return refuse("there is no such file");
      return { ok: true, path: undefined, document: {} };
    }
    if (info.kind !== "file") return refuse(`it must be a file, found a ${info.kind}`);
    if (info.bytes > bytesMax) {
      return refuse(`it must be at most ${bytesMax} bytes, found ${info.bytes}`);
    }
    bytes = await files.read(path, { bytesMax });
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return refuse(`it cannot be read (${code})`);
  }
  const parsed = parseJsonc(bytes);
  if (parsed.ok) return { ok: true, path, document: parsed.value };
  return { ok: false, faults: parsed.problems.map((problem) => brokenFile(source, problem)) };
}

/** How faults name a file. */
export function sourceOfFile(path: string): string {
  return `config ${showFound(path)}`;
}

/** The system's code; undefined for what is no failure of the file system. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** Whether a value of a document is an object, as sections are. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
