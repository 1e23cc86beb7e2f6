/** What stands before the password in the plain text; the client fills it with anything but NUL. */
export const passwordPrefixBytes = 32;

/** `00 02`, at least 8 bytes of padding, `00` (RFC 8017 §7.2.1). */
const PADDING_BYTES_MIN = 11;

/** The padding string itself is at least this long. */
const FILLER_BYTES_MIN = 8;

export interface UnpaddedPassword {
  /** Whether the padding was right and a password was behind the prefix. */
  readonly readable: boolean;
  /** The password, or `fallback` when it was not readable. */
  readonly password: Uint8Array;
}

/**
 * The password in the raw result of a private RSA operation: PKCS#1 v1.5 padding (RFC 8017 §7.2.2),
 * then 32 bytes of prefix, then the password, which ends at the first NUL or at the end. Whatever
 * is wrong, the answer is the same: `readable` is false and the password is `fallback`, which should
 * be random. Each byte is visited whatever the bytes are, and no branch depends on them, so that
 * time tells nothing about the padding (Bleichenbacher 1998). A block must have 64–1,024 bytes and
 * `fallback` must fit into it.
 */
export function unpadPassword(block: Uint8Array, fallback: Uint8Array): UnpaddedPassword {
  const size = block.length;
  const passwordBytesMax = size - PADDING_BYTES_MIN - passwordPrefixBytes;
  if (size < 64 || size > 1_024 || fallback.length > passwordBytesMax) {
    throw new RangeError(
      `Cannot unpad ${size} bytes with a fallback of ${fallback.length}: 64–1024 and at most ${passwordBytesMax} are allowed`,
    );
  }
  let bad = block[0]! | (block[1]! ^ 2);
  // 1 + index of the NUL that ends the padding, and of the one that ends the password; 0 = none.
  let separator = 0;
  let end = 0;
  for (let i = 2; i < size; i++) {
    const nul = isZero(block[i]!);
    const isSeparator = nul & isZero(separator);
    const isEnd = nul & isZero(isSeparator) & isZero(end);
    separator |= -isSeparator & (i + 1);
    end |= -isEnd & (i + 1);
  }
  bad |= isZero(separator);
  bad |= isNegative(separator - 1 - (2 + FILLER_BYTES_MIN));
  const stop = select(isZero(end), size, end - 1);
  const start = separator + passwordPrefixBytes;
  bad |= isNegative(stop - start - 1);
  const good = isZero(bad);

  const bytes = new Uint8Array(passwordBytesMax);
  for (let i = 0; i < passwordBytesMax; i++) {
    const found = block[(start + i) % size]!;
    bytes[i] = select(good, found, i < fallback.length ? fallback[i]! : 0);
  }
  const length = select(good, stop - start, fallback.length);
  return { readable: good === 1, password: bytes.subarray(0, length) };
}

/** 1 for 0, else 0; for −2^31 … 2^31−1. */
function isZero(value: number): number {
  return ((value | -value) >>> 31) ^ 1;
}

function isNegative(value: number): number {
  return value >>> 31;
}

/** `a` where `bit` is 1, `b` where it is 0. */
function select(bit: number, a: number, b: number): number {
  return (-bit & a) | ((bit - 1) & b);
}
