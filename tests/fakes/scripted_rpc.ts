import { readSync, writeSync } from "node:fs";
import process from "node:process";
import {
  decodeRpc,
  encodeRpc,
  type RpcCall,
  type RpcMessage,
} from "../../src/game/lua/rpc_message.ts";
import { RpcStream } from "../../src/game/lua/rpc_stream.ts";
import { bytesOf, type CborValue, textOf } from "../../src/wire/cbor.ts";
import type { CborInput } from "../../src/wire/cbor_encode.ts";

const STDIN = 0;
const STDOUT = 1;

/** The rules' end of the pipe, as blocking as a Lua that reads and writes its standard files. */
export class ScriptedRpc {
  readonly #stream = new RpcStream();
  readonly #arrived: Uint8Array[] = [];
  readonly #chunk = new Uint8Array(65_536);
  #lastId = 0;

  /** The next message; ends the program with its input. */
  receive(): RpcMessage<CborValue> {
    while (this.#arrived.length === 0) {
      const count = readSync(STDIN, this.#chunk);
      if (count === 0) process.exit(0);
      const fault = this.#stream.push(
        this.#chunk.subarray(0, count),
        (message) => this.#arrived.push(message),
      );
      if (fault !== undefined) throw new Error(fault);
    }
    const message = decodeRpc(this.#arrived.shift() as Uint8Array);
    if (message.kind === "bad") throw new Error(message.reason);
    return message;
  }

  send(message: RpcMessage<CborInput>): void {
    this.write(encodeRpc(message));
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes.subarray(at));
  }

  /** Calls the server and waits: its result, or the error as text `!code data`. */
  call(method: string, ...params: readonly CborInput[]): CborValue {
    const id = ++this.#lastId;
    this.send({ kind: "call", id, method, params: params.map(asLua) });
    const answer = this.receive();
    if (answer.kind === "result" && answer.id === id) return answer.result;
    if (answer.kind === "error" && answer.id === id) {
      return `!${answer.code} ${textOf(answer.data) ?? ""}`;
    }
    throw new Error(`Expected the answer to call ${id}, got ${JSON.stringify(answer)}`);
  }

  answer(call: RpcCall<CborValue>, result: CborInput): void {
    this.send({ kind: "result", id: call.id, result });
  }

  refuse(call: RpcCall<CborValue>, data: string): void {
    const message = "Internal error";
    this.send({ kind: "error", id: call.id, code: -32603, message, data: asLua(data) });
  }
}

/** Lua has one kind of string, and it is written as bytes. */
function asLua(value: CborInput): CborInput {
  return typeof value === "string" ? bytesOf(value) as Uint8Array : value;
}
