/** Streams of zlib format (RFC 1950), whole at once. */
export interface Zlib {
  /**
   * What a stream holds; undefined when it is broken, ends early or holds more than
   * `outputBytesMax` bytes, of which no more than that is ever held. What follows it is ignored.
   */
  inflate(
    bytes: Uint8Array,
    limits: { readonly outputBytesMax: number },
  ): Uint8Array | undefined;
  deflate(bytes: Uint8Array): Uint8Array;
}
