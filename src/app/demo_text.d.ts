/** With `{ type: "text" }` an import gives the text of the file, which Bun puts into the binary. */
declare module "*.html" {
  const text: string;
  export default text;
}
