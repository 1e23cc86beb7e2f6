/** Byte sequences that are UTF-8, and such as are none (RFC 3629 §3, §4). */

export interface Utf8Sequence {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** First and last code point of each length, and around the surrogates. */
const edges = [
  0x01,
  0x7f,
  0x80,
  0x7ff,
  0x800,
  0xfff,
  0x1000,
  0xcfff,
  0xd000,
  0xd7ff,
  0xe000,
  0xfffd,
  0x10000,
  0x3ffff,
  0x40000,
  0xfffff,
  0x100000,
  0x10fffd,
];

export function validSequences(): Utf8Sequence[] {
  const found: Utf8Sequence[] = [];
  for (const point of edges) found.push(named(`U+${hex(point)}`, encodePoint(point)));
  found.push(named("U+0000", Uint8Array.of(0)));
  // Noncharacters are characters to UTF-8: two at the end of each plane, and 32 in the first.
  for (let plane = 0; plane <= 16; plane++) {
    const last = plane * 0x10000 + 0xffff;
    const both = [...encodePoint(last - 1), ...encodePoint(last)];
    found.push(named(`noncharacters U+${hex(last - 1)} U+${hex(last)}`, Uint8Array.from(both)));
  }
  const arabic = Array.from({ length: 32 }, (_, index) => encodePoint(0xfdd0 + index));
  found.push(
    named("noncharacters U+FDD0 to U+FDEF", Uint8Array.from(arabic.flatMap((b) => [...b]))),
  );
  found.push(named("byte order mark first", encodePoint(0xfeff)));
  found.push(named("all lengths", new TextEncoder().encode("aß夜\u{1f0a1}".repeat(40))));
  found.push(named("combining marks", new TextEncoder().encode("e\u0301\u0323\u200d\u{1f468}")));
  return found;
}

export function invalidSequences(): Utf8Sequence[] {
  const found: Utf8Sequence[] = [];
  const add = (name: string, ...bytes: number[]) => found.push(named(name, Uint8Array.from(bytes)));
  for (const byte of [0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf]) {
    add(`lone continuation ${hex(byte)}`, byte);
  }
  for (const count of [2, 3, 4, 7]) {
    add(`${count} continuations`, ...Array.from({ length: count }, (_, i) => 0x80 + i * 9));
  }
  for (const byte of [0xc0, 0xc1, 0xf5, 0xf8, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]) {
    add(`impossible ${hex(byte)}`, byte);
    add(`impossible ${hex(byte)} with continuations`, byte, 0x80, 0x80, 0x80, 0x80, 0x80);
  }
  // Each start byte class, followed by something that continues nothing.
  for (const byte of [0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4]) {
    add(`start ${hex(byte)} then ASCII`, byte, 0x20);
    add(`start ${hex(byte)} at the end`, byte);
  }
  add("cut short after 2 of 3", 0xe5, 0xa4);
  add("cut short after 2 of 4", 0xf0, 0x9f);
  add("cut short after 3 of 4", 0xf0, 0x9f, 0x82);
  add("cut short then ASCII, 2 of 3", 0xe5, 0xa4, 0x2e);
  add("cut short then ASCII, 3 of 4", 0xf0, 0x9f, 0x82, 0x2e);
  add("cut short thrice", 0xe5, 0xa4, 0xf0, 0x9f, 0x82, 0xc3);
  addTooLong(add);
  // Surrogates, single and in pairs (CESU-8).
  for (const point of [0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff]) {
    add(`surrogate ${hex(point)}`, ...threeBytes(point));
  }
  for (const [high, low] of [[0xd800, 0xdc00], [0xd83c, 0xdca1], [0xdbff, 0xdfff]] as const) {
    add(`surrogates ${hex(high)} ${hex(low)}`, ...threeBytes(high), ...threeBytes(low));
  }
  add("U+110000", 0xf4, 0x90, 0x80, 0x80);
  add("U+13FFFF", 0xf4, 0xbf, 0xbf, 0xbf);
  add("U+140000", 0xf5, 0x80, 0x80, 0x80);
  add("U+200000 in 5 bytes", 0xf8, 0x88, 0x80, 0x80, 0x80);
  add("U+3FFFFFF in 5 bytes", 0xfb, 0xbf, 0xbf, 0xbf, 0xbf);
  add("U+4000000 in 6 bytes", 0xfc, 0x84, 0x80, 0x80, 0x80, 0x80);
  add("U+7FFFFFFF in 6 bytes", 0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf);
  add("UTF-16 with its mark", 0xff, 0xfe, 0x41, 0x00);
  add("Latin-1", 0x46, 0xe4, 0x68, 0x72, 0x65);
  return found;
}

/** Code points in more bytes than they need. */
function addTooLong(add: (name: string, ...bytes: number[]) => void): void {
  const cases: readonly (readonly [number, readonly number[]])[] = [
    [0x00, [0xc0, 0x80]],
    [0x2f, [0xc0, 0xaf]],
    [0x7f, [0xc1, 0xbf]],
    [0x00, [0xe0, 0x80, 0x80]],
    [0x2f, [0xe0, 0x80, 0xaf]],
    [0x7ff, [0xe0, 0x9f, 0xbf]],
    [0x00, [0xf0, 0x80, 0x80, 0x80]],
    [0x2f, [0xf0, 0x80, 0x80, 0xaf]],
    [0xffff, [0xf0, 0x8f, 0xbf, 0xbf]],
    [0x2f, [0xf8, 0x80, 0x80, 0x80, 0xaf]],
    [0x2f, [0xfc, 0x80, 0x80, 0x80, 0x80, 0xaf]],
  ];
  for (const [point, bytes] of cases) {
    add(`U+${hex(point)} in ${bytes.length} bytes`, ...bytes);
  }
}

function threeBytes(point: number): number[] {
  return [0xe0 | point >> 12, 0x80 | (point >> 6 & 63), 0x80 | (point & 63)];
}

function encodePoint(point: number): Uint8Array {
  return new TextEncoder().encode(String.fromCodePoint(point));
}

function named(name: string, bytes: Uint8Array): Utf8Sequence {
  return { name, bytes };
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(value > 0xff ? 4 : 2, "0");
}
