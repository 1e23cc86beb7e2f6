import { formatTime, readLocalTime, writeTime } from "./wasm_c_time.ts";
import { fuelExport, meterLoops } from "./wasm_meter.ts";

/** A pointer into the state's memory. */
export type Pointer = number;

/** The functions of Lua's C API (reference manual, §4) that are used here, as wasmoon's glue.wasm
 * exports them: lua_Integer is a bigint, size_t and pointers are numbers. */
export interface LuaExports {
  readonly memory: WebAssembly.Memory;
  readonly __indirect_function_table: WebAssembly.Table;
  readonly [fuelExport]: WebAssembly.Global;
  __wasm_call_ctors(): void;
  emscripten_stack_init(): void;
  stackSave(): Pointer;
  stackRestore(at: Pointer): void;
  setThrew(threw: number, value: number): void;
  malloc(bytes: number): Pointer;
  free(at: Pointer): void;
  luaL_newstate(): Pointer;
  luaL_openlibs(L: Pointer): void;
  luaL_loadbufferx(L: Pointer, at: Pointer, size: number, name: Pointer, mode: Pointer): number;
  luaL_ref(L: Pointer, table: number): number;
  luaL_unref(L: Pointer, table: number, reference: number): void;
  lua_pcallk(L: Pointer, args: number, results: number, f: number, c: number, k: number): number;
  lua_error(L: Pointer): number;
  lua_sethook(L: Pointer, hook: number, mask: number, count: number): void;
  lua_checkstack(L: Pointer, slots: number): number;
  lua_gettop(L: Pointer): number;
  lua_settop(L: Pointer, index: number): void;
  lua_type(L: Pointer, index: number): number;
  lua_isinteger(L: Pointer, index: number): number;
  lua_toboolean(L: Pointer, index: number): number;
  lua_tointegerx(L: Pointer, index: number, ok: Pointer): bigint;
  lua_tonumberx(L: Pointer, index: number, ok: Pointer): number;
  lua_tolstring(L: Pointer, index: number, length: Pointer): Pointer;
  lua_pushvalue(L: Pointer, index: number): void;
  lua_pushnil(L: Pointer): void;
  lua_pushboolean(L: Pointer, value: number): void;
  lua_pushinteger(L: Pointer, value: bigint): void;
  lua_pushnumber(L: Pointer, value: number): void;
  lua_pushlstring(L: Pointer, at: Pointer, length: number): Pointer;
  lua_pushcclosure(L: Pointer, slot: number, upvalues: number): void;
  lua_rawgeti(L: Pointer, index: number, key: bigint): number;
  lua_setglobal(L: Pointer, name: Pointer): void;
  lua_getglobal(L: Pointer, name: Pointer): number;
  lua_newuserdatauv(L: Pointer, size: number, values: number): Pointer;
  lua_rotate(L: Pointer, index: number, count: number): void;
}

/** Lua's WebAssembly, compiled and ready to be instantiated, together with what goes with it. May be
 * posted to other threads, which then share what was compiled. */
export interface LuaProgram {
  readonly module: WebAssembly.Module;
  readonly trampolines: WebAssembly.Module;
  readonly tickSlot: number;
}

/** Compiles wasmoon's glue.wasm with a meter in every loop. Takes 15–25 ms. */
export async function compileLua(glue: Uint8Array): Promise<LuaProgram> {
  const metered = meterLoops(glue, { interpreterCases: opcodes, pagesMin });
  const [module, trampolines] = await Promise.all([
    WebAssembly.compile(metered.bytes as Uint8Array<ArrayBuffer>),
    WebAssembly.compile(trampolineBytes),
  ]);
  return { module, trampolines, tickSlot: metered.tickSlot };
}

/** Lua 5.4 has 83 opcodes. */
const opcodes = 83;
/** 1 MiB of C stack and static data lie below the heap, which starts in the 17th page. */
const pagesMin = 20;
const pageBytes = 65_536;
/** Growth in steps, so that a filling state does not ask for each page. */
const growthPages = 16;

/** Functions of ours that WebAssembly calls through its function table. */
export interface LuaCallbacks {
  /** See `meterLoops`. */
  tick(L: Pointer): void;
  /** A lua_Hook. */
  hook(L: Pointer): void;
  /** A lua_CFunction. */
  host(L: Pointer): number;
}

/** How much memory a state may take, asked whenever it wants more. */
export interface LuaMemory {
  readonly bytesMax: number;
  /** It wanted more than that: Lua now collects its garbage, then raises "not enough memory". */
  refused(): void;
}

export interface LuaInstance {
  readonly exports: LuaExports;
  readonly slots: { readonly hook: number; readonly host: number };
}

/**
 * A fresh Lua with a memory of its own. It does not go through wasmoon's JavaScript: 27 imported
 * functions are all it can reach, and none of them opens a file, runs a program or sees the
 * environment, so nothing that a script does to the libraries lets it out.
 */
export function instantiateLua(
  program: LuaProgram,
  options: { memory: LuaMemory; callbacks: LuaCallbacks },
): LuaInstance {
  const { bytesMax } = options.memory;
  if (bytesMax < pagesMin * pageBytes) {
    throw new RangeError(
      `A Lua state needs at least ${pagesMin * pageBytes} bytes of memory, got ${bytesMax}`,
    );
  }
  const imports = hostFunctions(options.memory, () => exports);
  const instance = new WebAssembly.Instance(program.module, imports);
  const exports = instance.exports as unknown as LuaExports;
  const wrapped = new WebAssembly.Instance(program.trampolines, {
    host: { ...options.callbacks },
  }).exports as Record<keyof LuaCallbacks, TableFunction>;
  const table = exports.__indirect_function_table;
  const base = table.grow(3);
  if (base !== program.tickSlot) {
    throw new Error("Broken invariant: Lua's function table has moved");
  }
  table.set(base, wrapped.tick);
  table.set(base + 1, wrapped.hook);
  table.set(base + 2, wrapped.host);
  exports.emscripten_stack_init();
  exports.__wasm_call_ctors();
  return { exports, slots: { hook: base + 1, host: base + 2 } };
}

/**
 * A table of WebAssembly takes no plain JavaScript function, but takes an imported one that is
 * exported again. Types (i32,i32)→(), (i32)→i32, (i32)→(); imports host.hook, host.host, host.tick.
 */
const trampolineBytes = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 15, 3, 0x60, 2, 0x7f, 0x7f, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 1, 0x7f, 0],
  ...[2, 37, 3],
  ...importedFunction("hook", 0),
  ...importedFunction("host", 1),
  ...importedFunction("tick", 2),
  ...[7, 22, 3, ...text("hook"), 0, 0, ...text("host"), 0, 1, ...text("tick"), 0, 2],
]);

function importedFunction(name: string, type: number): number[] {
  return [...text("host"), ...text(name), 0, type];
}

function text(name: string): number[] {
  return [name.length, ...new TextEncoder().encode(name)];
}

type TableFunction = (a: Pointer, b: Pointer) => void;

function functionAt(exports: LuaExports, slot: number): TableFunction {
  return exports.__indirect_function_table.get(slot) as TableFunction;
}

/** What C's longjmp throws: a number, because a thrown Error would collect a stack trace each time. */
const longjmp = Infinity;
/** errno values of WASI. */
const errno = { badFile: 8, noEntry: 44, noSystemCall: 52, notPermitted: 63 };

function hostFunctions(
  limit: LuaMemory,
  lua: () => LuaExports,
): Record<string, Record<string, (...values: never[]) => unknown>> {
  const functions: TableFunction[] = [];
  const words = (at: Pointer, count: number) => new Int32Array(lua().memory.buffer, at, count);
  return {
    env: {
      invoke_vii(slot: number, a: Pointer, b: Pointer) {
        const exports = lua();
        const stack = exports.stackSave();
        try {
          (functions[slot] ??= functionAt(exports, slot))(a, b);
        } catch (thrown) {
          if (thrown !== longjmp) throw thrown;
          exports.stackRestore(stack);
          exports.setThrew(1, 0);
        }
      },
      _emscripten_throw_longjmp() {
        throw longjmp;
      },
      abort() {
        throw new Error("Lua raised an error outside any protected call");
      },
      exit() {
        throw new Error("the script asked the program to exit");
      },
      emscripten_resize_heap(bytes: number): number {
        const memory = lua().memory;
        const pages = memory.buffer.byteLength / pageBytes;
        const wanted = Math.ceil((bytes >>> 0) / pageBytes);
        const allowed = Math.floor(limit.bytesMax / pageBytes);
        if (wanted > allowed) {
          limit.refused();
          return 0;
        }
        const next = Math.min(allowed, Math.max(wanted, pages + growthPages, pages * 9 >> 3));
        try {
          memory.grow(next - pages);
          return 1;
        } catch {
          // The system has no more.
          limit.refused();
          return 0;
        }
      },
      emscripten_date_now: () => Date.now(),
      _emscripten_get_now_is_monotonic: () => 0,
      _tzset_js() {},
      _gmtime_js: (time: bigint, tm: Pointer) => writeTime(words(tm, 10), time, "utc"),
      _localtime_js: (time: bigint, tm: Pointer) => writeTime(words(tm, 10), time, "local"),
      _mktime_js: (tm: Pointer) => readLocalTime(words(tm, 10)),
      strftime(to: Pointer, room: number, format: Pointer, tm: Pointer): number {
        const heap = new Uint8Array(lua().memory.buffer);
        const pattern = new TextDecoder().decode(heap.subarray(format, heap.indexOf(0, format)));
        const bytes = new TextEncoder().encode(formatTime(pattern, words(tm, 10)));
        if (bytes.length >= room) return 0;
        heap.set(bytes, to);
        heap[to + bytes.length] = 0;
        return bytes.length;
      },
      system: () => 0,
      __syscall_openat: () => -errno.noEntry,
      __syscall_fcntl64: () => -errno.noSystemCall,
      __syscall_ioctl: () => -errno.noSystemCall,
      __syscall_dup3: () => -errno.noSystemCall,
      __syscall_unlinkat: () => -errno.notPermitted,
      __syscall_rmdir: () => -errno.notPermitted,
      __syscall_renameat: () => -errno.notPermitted,
      __syscall_readlinkat: () => -errno.noEntry,
    },
    wasi_snapshot_preview1: {
      // Lua's own warnings and io.write: swallowed, as if written.
      fd_write(_file: number, vectors: Pointer, count: number, written: Pointer): number {
        const lengths = words(vectors, count * 2);
        let total = 0;
        for (let i = 1; i < lengths.length; i += 2) total += lengths[i] ?? 0;
        words(written, 1)[0] = total;
        return 0;
      },
      fd_read: () => errno.badFile,
      fd_close: () => 0,
      fd_seek: () => errno.badFile,
      environ_sizes_get(count: Pointer, bytes: Pointer): number {
        words(count, 1)[0] = 0;
        words(bytes, 1)[0] = 0;
        return 0;
      },
      environ_get: () => 0,
    },
  };
}
