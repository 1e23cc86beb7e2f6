import type { CborValue } from "../../wire/cbor.ts";
import type { CborInput } from "../../wire/cbor_encode.ts";
import {
  type RpcCall,
  type RpcError,
  rpcErrors,
  type RpcNotification,
  type RpcResult,
} from "./rpc_message.ts";
import { rulesMethods } from "./rpc_methods.ts";
import type { RulesHost, RulesNotice } from "./rpc_rules.ts";
import { RulesTurnView } from "./rpc_turn_view.ts";

/** How much of a method's name is told in the log. */
const nameCharsMax = 80;

/**
 * Answers what the rules call in the middle of a turn: reads at once, notices are collected until the
 * turn ends. A wrong call is answered with an error, is noted for the log, and harms nobody.
 */
export class RpcDispatcher {
  readonly #view: RulesTurnView;

  constructor(host: RulesHost) {
    this.#view = new RulesTurnView(host);
  }

  /** The answer to a call; undefined for a notification, which is carried out all the same. */
  answer(
    call: RpcCall<CborValue> | RpcNotification<CborValue>,
  ): RpcResult<CborInput> | RpcError<CborInput> | undefined {
    const method = rulesMethods.get(call.method);
    if (method === undefined) {
      return this.#refuse(call, rpcErrors.methodNotFound, "the server has no such method");
    }
    if (call.params === undefined) {
      return this.#refuse(call, rpcErrors.invalidParams, "its parameters are no list");
    }
    const answer = method(this.#view, call.params);
    if ("wrong" in answer) return this.#refuse(call, rpcErrors.invalidParams, answer.wrong);
    return call.kind === "call"
      ? { kind: "result", id: call.id, result: answer.result }
      : undefined;
  }

  /** Why the turn must not go on; undefined while it is within its limits. */
  get flood(): string | undefined {
    return this.#view.flood;
  }

  /** Ends the turn: what it wants done, in order, to be carried out before the next one begins. */
  take(): readonly RulesNotice[] {
    return this.#view.take();
  }

  #refuse(
    call: RpcCall<CborValue> | RpcNotification<CborValue>,
    error: { readonly code: number; readonly message: string },
    why: string,
  ): RpcError<CborInput> | undefined {
    const name = JSON.stringify(call.method.slice(0, nameCharsMax));
    const text = `Lua called ${name} and was refused (${error.code}): ${why}`;
    this.#view.note({ kind: "log", level: "warn", text });
    if (call.kind !== "call") return undefined;
    const { code, message } = error;
    return { kind: "error", id: call.id, code, message, data: new TextEncoder().encode(why) };
  }
}
