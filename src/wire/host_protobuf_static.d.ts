/** Types of the generated module, as far as it is used. */
export declare namespace runtime {
  const Ping: {
    decode(bytes: Uint8Array): { payload: string; seq: number; keep: boolean };
    encode(message: { payload?: string; seq?: number; keep?: boolean }): { finish(): Uint8Array };
  };
  const Pong: {
    decode(bytes: Uint8Array): { payload: string; seq: number; ok: boolean };
    encode(message: { payload?: string; seq?: number; ok?: boolean }): { finish(): Uint8Array };
  };
}
