/** With `{ type: "text" }` an import gives the text of the file, which Bun puts into the binary. */
declare module "*.lua" {
  const text: string;
  export default text;
}
