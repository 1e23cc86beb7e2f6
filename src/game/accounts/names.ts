/** New names only: old databases hold longer ones. Counted in characters, not bytes. */
export const newNameCharsMax = 64;

/** Far beyond the 255 that old columns are declared for. A Setup has room for a name of 64 KiB, and
 * each ban word is searched for in it before anybody has logged in. */
const NAME_CHARS_MAX = 1_024;

/** Clients send 32; more than this is no device id, and each account keeps one. */
const DEVICE_ID_CHARS_MAX = 128;

/** NUL is refused with the others because SQLite's texts end at it. */
// deno-lint-ignore no-control-regex
const uncleanPattern = /['";#* /\\?<>|:\u0000]|--/;

/** C0, DEL and C1: they would move the cursor of a terminal that lists players. */
// deno-lint-ignore no-control-regex
const controlPattern = /[\u0000-\u001f\u007f-\u009f]/;

/** Whether a text has none of `' " ; # * space / \ ? < > | :`, no `--`, and is well-formed. */
export function isCleanText(text: string): boolean {
  return !uncleanPattern.test(text) && text.isWellFormed();
}

/** Whether an account may have this name; not whether a new one may. */
export function isUserName(name: string, banWords: readonly string[]): boolean {
  if (name.length > NAME_CHARS_MAX) return false;
  return name !== "" && isCleanText(name) && !holdsBanWord(name, banWords);
}

/** Characters that show nothing or turn the direction: a name with them could look like another. */
const invisiblePattern = /[\p{Cf}\p{Zl}\p{Zp}]/u;

/** Whether a clean name may also be taken by a new account. */
export function isNewName(name: string): boolean {
  return charsOf(name) <= newNameCharsMax && !controlPattern.test(name) &&
    !invisiblePattern.test(name);
}

/** Whether a text could be a client's device id; the empty one is. */
export function isDeviceId(uuid: string): boolean {
  return uuid.length <= DEVICE_ID_CHARS_MAX && isCleanText(uuid);
}

/** Whether one of the words is in a text, letter for letter. Empty words are in none. */
export function holdsBanWord(text: string, banWords: readonly string[]): boolean {
  return banWords.some((word) => word !== "" && text.includes(word));
}

/** What clients are told to update to. */
export const supportedVersionText = "0.5.19+";

/** Whether a client's version is in `>=0.5.19 <0.6.0` (semver.org 2.0.0; no pre-releases). */
export function isSupportedVersion(version: string): boolean {
  const parts =
    /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/
      .exec(version);
  if (parts === null) return false;
  const [major, minor, patch] = parts.slice(1, 4).map(Number);
  return major === 0 && minor === 5 && patch! >= 19;
}

function charsOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
