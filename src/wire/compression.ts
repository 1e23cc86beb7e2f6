/** As `Zlib.inflate` of the ports: undefined when broken, or longer than allowed. */
export type Inflate = (
  bytes: Uint8Array,
  limits: { readonly outputBytesMax: number },
) => Uint8Array | undefined;

export type CompressionFault = "compression_broken" | "compression_too_large";

/** Bytes before the zlib stream: the length of the plain data, big-endian (Qt's qCompress). */
const LENGTH_BYTES = 4;

/**
 * The plain bytes of a compressed data field. The announced length is checked against `plainBytesMax`
 * before anything is inflated, and what comes out must have exactly that length. Four zero bytes
 * alone are Qt's form of nothing.
 */
export function decompress(
  data: Uint8Array,
  options: { readonly plainBytesMax: number; readonly inflate: Inflate },
): Uint8Array | CompressionFault {
  if (data.length < LENGTH_BYTES) return "compression_broken";
  const announced = new DataView(data.buffer, data.byteOffset, LENGTH_BYTES).getUint32(0);
  if (announced > options.plainBytesMax) return "compression_too_large";
  if (data.length === LENGTH_BYTES) {
    return announced === 0 ? data.subarray(LENGTH_BYTES) : "compression_broken";
  }
  const plain = options.inflate(data.subarray(LENGTH_BYTES), { outputBytesMax: announced });
  return plain === undefined || plain.length !== announced ? "compression_broken" : plain;
}

/** Data in the form of Qt's qCompress; `deflate` as of the ports. */
export function compress(
  plain: Uint8Array,
  deflate: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const stream = deflate(plain);
  const data = new Uint8Array(LENGTH_BYTES + stream.length);
  new DataView(data.buffer).setUint32(0, plain.length);
  data.set(stream, LENGTH_BYTES);
  return data;
}
