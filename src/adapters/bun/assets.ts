import glue from "wasmoon/dist/glue.wasm" with { type: "file" };

/** Files that are part of the program: inside the compiled binary, else in node_modules. */
export const bunAssets = {
  luaWasm: (): Promise<Uint8Array> => Bun.file(glue).bytes(),
};
