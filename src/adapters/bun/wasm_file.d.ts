/** With `{ type: "file" }` an import gives the path of the file, which Bun puts into the binary. */
declare module "*.wasm" {
  const path: string;
  export default path;
}
