import { CborMap, type CborValue, decodeCbor, integerOf, textOf } from "../../wire/cbor.ts";
import { type CborInput, CborWriter } from "../../wire/cbor_encode.ts";

/** Keys of the CBOR maps that stand for the members of JSON-RPC 2.0 objects. */
const keys = {
  version: 100,
  method: 101,
  params: 102,
  error: 103,
  id: 104,
  result: 105,
  errorCode: 200,
  errorMessage: 201,
  errorData: 202,
} as const;

const version = "2.0";
/** A message, its error, what is in `params`, and a little more: far below what a stack can take. */
const nestingMax = 16;

/** Codes of JSON-RPC 2.0 with the words that go with them. */
export const rpcErrors = {
  methodNotFound: { code: -32601, message: "Method not found" },
  invalidParams: { code: -32602, message: "Invalid params" },
} as const;

export interface RpcCall<Value> {
  readonly kind: "call";
  readonly id: number;
  readonly method: string;
  /** undefined when they are no list: a Lua table with holes arrives as a map. */
  readonly params: readonly Value[] | undefined;
}

export interface RpcNotification<Value> {
  readonly kind: "notification";
  readonly method: string;
  readonly params: readonly Value[] | undefined;
}

export interface RpcResult<Value> {
  readonly kind: "result";
  readonly id: number;
  readonly result: Value;
}

export interface RpcError<Value> {
  readonly kind: "error";
  /** undefined when the call was not understood. */
  readonly id: number | undefined;
  readonly code: number;
  readonly message: string;
  readonly data: Value | undefined;
}

/** One message between the server and the rules, in either direction. */
export type RpcMessage<Value> =
  | RpcCall<Value>
  | RpcNotification<Value>
  | RpcResult<Value>
  | RpcError<Value>;

/** What is wrong with bytes that are not a message. */
export interface BadRpc {
  readonly kind: "bad";
  readonly reason: string;
}

/** Reads one message. Method names, versions and words may be text or byte strings. */
export function decodeRpc(bytes: Uint8Array): RpcMessage<CborValue> | BadRpc {
  const decoded = decodeCbor(bytes, { nestingMax });
  if (!decoded.ok) return bad(`its CBOR is wrong: ${decoded.fault}`);
  const map = decoded.value;
  if (!(map instanceof CborMap)) return bad("it is no CBOR map");
  if (textOf(map.get(keys.version)) !== version) return bad(`its version is not "${version}"`);
  const idValue = map.get(keys.id);
  const id = integerOf(idValue);
  if (idValue !== undefined && (id === undefined || id < 1)) {
    return bad("its id is no whole number from 1");
  }
  const methodValue = map.get(keys.method);
  if (methodValue !== undefined) {
    const method = textOf(methodValue);
    if (method === undefined) return bad("its method is no string");
    const params = paramsOf(map.get(keys.params));
    return id === undefined
      ? { kind: "notification", method, params }
      : { kind: "call", id, method, params };
  }
  const error = map.get(keys.error);
  if (error !== undefined) return errorOf(error, id);
  if (id === undefined) return bad("it has neither a method nor an id");
  // Lua leaves a nil out.
  return { kind: "result", id, result: map.get(keys.result) ?? null };
}

/**
 * Writes one message in the key order of the trace lua_rpc. The words of the protocol become byte
 * strings, the strings that Lua knows; values are written as they are.
 */
export function encodeRpc(message: RpcMessage<CborInput>): Uint8Array {
  const writer = new CborWriter();
  const begin = (entries: number) => writer.map(entries).integer(keys.version).textAsBytes(version);
  switch (message.kind) {
    case "call":
      begin(4).integer(keys.method).textAsBytes(message.method);
      writer.integer(keys.id).integer(message.id);
      return writer.integer(keys.params).value(message.params ?? []).take();
    case "notification":
      begin(3).integer(keys.method).textAsBytes(message.method);
      return writer.integer(keys.params).value(message.params ?? []).take();
    case "result":
      begin(3).integer(keys.id).integer(message.id);
      return writer.integer(keys.result).value(message.result).take();
    case "error":
      begin(message.id === undefined ? 2 : 3);
      if (message.id !== undefined) writer.integer(keys.id).integer(message.id);
      writer.integer(keys.error).map(message.data === undefined ? 2 : 3);
      writer.integer(keys.errorCode).integer(message.code);
      writer.integer(keys.errorMessage).textAsBytes(message.message);
      if (message.data !== undefined) writer.integer(keys.errorData).value(message.data);
      return writer.take();
  }
}

function paramsOf(value: CborValue | undefined): readonly CborValue[] | undefined {
  if (value === undefined || value === null) return [];
  if (isList(value)) return value;
  return value instanceof CborMap && value.entries.length === 0 ? [] : undefined;
}

function errorOf(error: CborValue, id: number | undefined): RpcError<CborValue> | BadRpc {
  if (!(error instanceof CborMap)) return bad("its error is no map");
  const code = integerOf(error.get(keys.errorCode));
  if (code === undefined) return bad("its error has no code");
  const message = textOf(error.get(keys.errorMessage)) ?? "";
  return { kind: "error", id, code, message, data: error.get(keys.errorData) };
}

function isList(value: CborValue): value is readonly CborValue[] {
  return Array.isArray(value);
}

function bad(reason: string): BadRpc {
  return { kind: "bad", reason };
}
