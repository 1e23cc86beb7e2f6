/** With `{ type: "text" }` an import gives the text of the file, which Bun puts into the binary. The
 * type checker would take the files themselves for modules, hence their second names. */
declare module "*.txt" {
  const text: string;
  export default text;
}
