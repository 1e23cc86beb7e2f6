/** Ranges that several keys share. */

/** Control characters have no business in a path, name or command. */
export const line = {
  pattern: /^[^\p{Cc}]{0,4096}$/u,
  allowed: "a text of at most 4,096 characters",
};
/** A path that must be given. */
export const path = { pattern: /^[^\p{Cc}]{1,4096}$/u, allowed: "a path of 1–4,096 characters" };
/** SQLite keeps `:memory:` and the like nowhere, and what was acknowledged must be somewhere. */
export const databasePath = {
  pattern: /^(?!:)[^\p{Cc}]{1,4096}$/u,
  allowed: 'a path of 1–4,096 characters that does not begin with ":"',
};
/** What may be listened on or connected to, IPv6 zones included. */
export const hostName = {
  pattern: /^[0-9A-Za-z.:_%-]{1,255}$/,
  allowed: "an address or host name of 1–255 characters",
};
/** The same, or the address of another key. */
export const hostNameOrNone = {
  pattern: /^[0-9A-Za-z.:_%-]{0,255}$/,
  allowed: 'an address or host name of at most 255 characters, or ""',
};
/** TCP or UDP port; what 0 means is said by the key. */
export const port = { kind: "whole", min: 0, max: 65_535 } as const;
/** Below it rotation would never end, above it nobody wants one file. */
export const logBytes = { kind: "bytes", min: 4_096, max: 2 ** 40 } as const;
/** At least the one that is written. */
export const logFiles = { kind: "whole", min: 1, max: 1_000 } as const;
/** Timers count to 2^31−1 ms (24 days); nobody waits longer than a day here. */
export const daySeconds = 86_400;
/** For counts that need some end: far above what helps. */
export const countMax = 1_000_000;
/** Below it timers would keep the processor busy; tests want short ones. */
export const secondsMin = 0.05;
/** For what is kept. */
export const yearSeconds: number = 365 * daySeconds;
export const dayMs: number = daySeconds * 1_000;
