/** Files that are part of the program, read from where the packages are installed; nothing is ever
 * fetched. */
export const denoAssets = {
  luaWasm: (): Promise<Uint8Array> =>
    Deno.readFile(new URL("../../../node_modules/wasmoon/dist/glue.wasm", import.meta.url)),
};
