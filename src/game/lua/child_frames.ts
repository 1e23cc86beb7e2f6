import { scriptLimits } from "./script_sandbox.ts";

/** More than this in one frame from a child is not ours: the longest is a version and a few words. */
const frameBytesMax = scriptLimits.versionBytesMax + 1_024;

/**
 * A frame between the server and a native Lua: a 32-bit length, then texts, each behind a 32-bit
 * length of its own; all big-endian. Lua writes the same with string.pack(">s4", …).
 */
export function encodeFrame(texts: readonly Uint8Array[]): Uint8Array {
  const length = texts.reduce((sum, text) => sum + 4 + text.length, 0);
  const frame = new Uint8Array(4 + length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, length);
  let at = 4;
  for (const text of texts) {
    view.setUint32(at, text.length);
    frame.set(text, at + 4);
    at += 4 + text.length;
  }
  return frame;
}

/** Takes frames out of a stream of bytes. */
export class FrameReader {
  #waiting = new Uint8Array(0);

  /** The frames that `bytes` complete, in order; undefined when the stream is not one of frames. */
  push(bytes: Uint8Array): string[][] | undefined {
    const all = new Uint8Array(this.#waiting.length + bytes.length);
    all.set(this.#waiting);
    all.set(bytes, this.#waiting.length);
    const view = new DataView(all.buffer);
    const frames: string[][] = [];
    let at = 0;
    while (all.length - at >= 4) {
      const length = view.getUint32(at);
      if (length > frameBytesMax) return undefined;
      if (all.length - at - 4 < length) break;
      const texts = decodeTexts(all.subarray(at + 4, at + 4 + length));
      if (texts === undefined) return undefined;
      frames.push(texts);
      at += 4 + length;
    }
    this.#waiting = all.slice(at);
    return frames;
  }
}

function decodeTexts(frame: Uint8Array): string[] | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const texts: string[] = [];
  let at = 0;
  while (at < frame.length) {
    if (frame.length - at < 4) return undefined;
    const length = view.getUint32(at);
    if (length > frame.length - at - 4) return undefined;
    texts.push(new TextDecoder().decode(frame.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return texts;
}
