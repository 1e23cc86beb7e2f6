import { isPackageName } from "./packages_db.ts";

/** Where a package comes from, and what its directory is called. */
export type PackageSource =
  /** A git repository that everybody may read. */
  | { readonly kind: "http"; readonly name: string; readonly url: string }
  /** A git repository, with or without a work tree, or a plain directory of this machine. */
  | { readonly kind: "local"; readonly name: string; readonly url: string; readonly path: string };

export type ReadSource =
  | { readonly ok: true; readonly source: PackageSource }
  /** One line that shows nothing of an address that may be secret. */
  | { readonly ok: false; readonly reason: string };

/** Directories that older clients have in `packages/` themselves, and the file of the table. */
const taken = ["standard", "standard_cards", "maneuvering", "test", "packages.db"];

/** File systems allow 255, and a package that is on its way has a longer name. */
const NAME_BYTES_MAX = 200;

/** As long as the column of packages.db. */
const URL_CHARS_MAX = 255;

/**
 * Reads what an operator gives for `install`: an http or https address, a `file:` address, or an
 * absolute path. The package has the last part as its name, without `.git`.
 */
export function readPackageUrl(text: string): ReadSource {
  const trimmed = text.trim().replace(/(?<=[^/:])\/+$/, "");
  if (trimmed.length > URL_CHARS_MAX || !trimmed.isWellFormed() || /\p{Cc}/u.test(trimmed)) {
    return no(`it must have at most ${URL_CHARS_MAX} characters, and none that control`);
  }
  if (trimmed.startsWith("/")) return localSource(trimmed, trimmed);
  const url = URL.parse(trimmed);
  if (url === null) return no(`it is no address; allowed are ${allowed}`);
  if (url.protocol !== "http:" && url.protocol !== "https:" && url.protocol !== "file:") {
    return no(`it is of the kind ${JSON.stringify(url.protocol)}; allowed are ${allowed}`);
  }
  // Clients are told the address and install from it themselves.
  if (url.username !== "" || url.password !== "" || trimmed.split("/")[2]?.includes("@")) {
    return no("it has a name or password in it, and every client would be told");
  }
  if (url.search !== "" || url.hash !== "") return no('it has a part after "?" or "#"');
  if (url.protocol === "file:") {
    if (url.host !== "") return no("a file: address begins with file:///");
    const path = decoded(url.pathname);
    if (path === undefined || path.includes("\0")) return no("it is not well encoded");
    return localSource(path.replace(/(?<=.)\/+$/, ""), trimmed);
  }
  const last = decoded(url.pathname.split("/").findLast((part) => part !== "") ?? "");
  if (last === undefined) return no("it is not well encoded");
  const name = last.replace(/\.git$/, "");
  const wrong = whyNoPackageName(name);
  if (wrong !== undefined) return no(wrong);
  return { ok: true, source: { kind: "http", name, url: trimmed } };
}

const allowed = "https://…, http://…, file:///… and absolute paths";

/** Whether clients can install from the address too: not from directories of this machine. */
export function isForClients(url: string): boolean {
  return url !== "" && !url.startsWith("/") && !/^file:/i.test(url);
}

/**
 * Why a text cannot be the name of a package that this program makes, changes or removes; undefined
 * when it can.
 */
export function whyNoPackageName(name: string): string | undefined {
  const shown = JSON.stringify(name.slice(0, 128));
  if (!isPackageName(name) || !/^[\p{L}\p{N}_+-][\p{L}\p{N}\p{M}_.+-]*$/u.test(name)) {
    return `${shown} cannot be the name of a package: letters, digits and _ . + - are allowed, and ` +
      `no "." at the front`;
  }
  if (new TextEncoder().encode(name).length > NAME_BYTES_MAX) {
    return `${shown} cannot be the name of a package: it is longer than ${NAME_BYTES_MAX} bytes`;
  }
  if (name.startsWith("-")) return `${shown} cannot be the name of a package: it begins with "-"`;
  if (/\.disabled$/i.test(name)) {
    return `${shown} cannot be the name of a package: what ends in .disabled is left out`;
  }
  if (taken.includes(name.toLowerCase()) || name.toLowerCase().startsWith("packages.db")) {
    return `${shown} cannot be the name of a package: it is the game's own`;
  }
  return undefined;
}

function localSource(path: string, url: string): ReadSource {
  const parts = path.split("/");
  if (parts.includes("..") || parts.includes(".")) return no('its path has "." or ".." in it');
  // `…/name/.git` is the repository of `…/name`.
  const last = parts.at(-1) === ".git" ? parts.at(-2) : parts.at(-1);
  const name = (last ?? "").replace(/\.git$/, "");
  const wrong = whyNoPackageName(name);
  if (wrong !== undefined) return no(wrong);
  return { ok: true, source: { kind: "local", name, url, path } };
}

function no(why: string): ReadSource {
  return { ok: false, reason: `Cannot use this address of a package: ${why}` };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray "%": the caller says so.
    return undefined;
  }
}
