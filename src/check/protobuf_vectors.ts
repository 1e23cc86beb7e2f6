/**
 * `runtime.Ping` and `runtime.Pong` made by hand (Protocol Buffers encoding), so that the check does
 * not lean on the code that the server itself uses.
 */

/** Fields in order; `keep` is left out when undefined, as a sender may. */
export function pingBytes(ping: { payload: string; seq: number; keep?: boolean }): Uint8Array {
  const keep = ping.keep === undefined ? [] : [0x18, ping.keep ? 1 : 0];
  return message(ping.payload, ping.seq, keep);
}

/** The only right answer to a Ping whose `seq` is not 0 and whose payload is not empty. */
export function pongBytes(pong: { payload: string; seq: number }): Uint8Array {
  return message(pong.payload, pong.seq, [0x18, 1]);
}

function message(payload: string, seq: number, last: readonly number[]): Uint8Array {
  const text = new TextEncoder().encode(payload);
  return Uint8Array.from([0x0a, ...varint(text.length), ...text, 0x10, ...varint(seq), ...last]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push(rest % 0x80 + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}
