/** Why something cannot be done with a package; the message is one line for people, without what
 * may be secret in an address. */
export class PackageError extends Error {
  override readonly name = "PackageError";
}
