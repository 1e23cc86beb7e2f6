import { encodeUtf8 } from "../../wire/utf8.ts";
import type { LuaEngineFactory, LuaFunction, LuaOutcome } from "./lua_engine.ts";
import type { PackageTree } from "./package_tree.ts";

/** Of all scripts together. They are compiled between the turns of a state that runs already, whose
 * answers may be late by a second at most; what is not done by then is loaded as text. A core takes
 * some 100 ms. */
const compileMsMax = 500;
/** Of a state that compiles: the largest script, what is made of it, and the garbage of the others. */
const memoryBytesMax = 256 * 1_048_576;

/** Scripts by their places in the tree, and the path under which each was loaded first. */
export type LoadedFiles = ReadonlyMap<number, string>;

/**
 * Scripts of one `PackageTree` as Lua has compiled them, with lines and the names of variables. A state
 * that loads these is ready in about half the time. They are bytecode, which can do anything to the
 * interpreter, so they are made by `compileChunks` and by nothing else.
 */
export interface PackageChunks {
  /** By the script's place in the tree. */
  readonly places: ReadonlyMap<number, ChunkPlace>;
  readonly bytes: SharedArrayBuffer;
}

interface ChunkPlace {
  /** Under which the script was loaded: it is part of its messages. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Compiled scripts as a state looks them up. */
export class ChunkReader {
  readonly #chunks: PackageChunks;
  readonly #bytes: Uint8Array;

  constructor(chunks: PackageChunks) {
    this.#chunks = chunks;
    this.#bytes = new Uint8Array(chunks.bytes);
  }

  /** A view that must not be changed; undefined for a script that is to be loaded as text. */
  read(index: number, path: string): Uint8Array | undefined {
    const place = this.#chunks.places.get(index);
    if (place === undefined || place.path !== path) return undefined;
    return this.#bytes.subarray(place.offset, place.offset + place.length);
  }
}

/**
 * Compiles scripts in a fresh state, in which none of them runs: no script has a say in the bytecode
 * that other states load. One that does not compile is left out, so that its message is that of its
 * text. `now`: monotonic milliseconds; Infinity ends it.
 */
export function compileChunks(
  engines: LuaEngineFactory,
  source: { readonly tree: PackageTree; readonly files: LoadedFiles },
  now: () => number,
): PackageChunks {
  const compiled: CompiledFile[] = [];
  const end = now() + compileMsMax;
  const limits = { turnMs: compileMsMax, giveUpMs: compileMsMax, memoryBytesMax };
  const engine = engines.open({ limits, host: () => [], now });
  const compile = functionOf(engine.load(encodeUtf8(compiler), "=compiler"));
  const texts = new Uint8Array(source.tree.bytes);
  for (const [index, path] of source.files) {
    const msLeft = end - now();
    if (compile === undefined || !(msLeft > 0)) break;
    const offset = source.tree.offsets[index] ?? 0;
    const text = texts.subarray(offset, offset + (source.tree.lengths[index] ?? 0));
    const outcome = engine.call(compile, [text, encodeUtf8(`@${path}`)], {
      turnMs: msLeft,
      giveUpMs: msLeft,
    });
    const chunk = outcome.kind === "ok" ? outcome.values[0] : undefined;
    if (chunk instanceof Uint8Array) compiled.push({ index, path, chunk });
  }
  engine.close();
  return pack(compiled);
}

const compiler = `local text, name = ...
local chunk = load(text, name, "t")
return chunk and string.dump(chunk)`;

interface CompiledFile {
  readonly index: number;
  readonly path: string;
  readonly chunk: Uint8Array;
}

function functionOf(outcome: LuaOutcome): LuaFunction | undefined {
  const value = outcome.kind === "ok" ? outcome.values[0] : undefined;
  return typeof value === "object" && "luaReference" in value ? value : undefined;
}

function pack(compiled: readonly CompiledFile[]): PackageChunks {
  const shared = new SharedArrayBuffer(compiled.reduce((sum, { chunk }) => sum + chunk.length, 0));
  const bytes = new Uint8Array(shared);
  const places = new Map<number, ChunkPlace>();
  let offset = 0;
  for (const { index, path, chunk } of compiled) {
    bytes.set(chunk, offset);
    places.set(index, { path, offset, length: chunk.length });
    offset += chunk.length;
  }
  return { places, bytes: shared };
}
