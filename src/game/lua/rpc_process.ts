import type { Logger } from "../../ports/log.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ChildProcess, ProcessPort } from "../../ports/process.ts";
import { bytesOf, type CborValue } from "../../wire/cbor.ts";
import type { CborInput } from "../../wire/cbor_encode.ts";
import { decodeUtf8Lossy } from "../../wire/utf8.ts";
import { RpcComplaints } from "./rpc_complaints.ts";
import { RpcDispatcher } from "./rpc_dispatcher.ts";
import { explainExit, rpcLaunch, type RpcLaunchOptions } from "./rpc_launch.ts";
import {
  decodeRpc,
  encodeRpc,
  type RpcCall,
  type RpcError,
  type RpcNotification,
  type RpcResult,
} from "./rpc_message.ts";
import type { LuaCall } from "./lua_host.ts";
import type { RulesHost } from "./rpc_rules.ts";
import { RpcStream } from "./rpc_stream.ts";
import { rulesCall } from "./rules_call.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "./rules_run.ts";

/** A core with many packages takes some seconds to load on a slow disk. */
const startMsMax = 60_000;
/** After a deadline, what came in while this program itself was busy is read first. */
const lateMs = 50;
/** A child that makes calls and does not read the answers is given up; they have some bytes each. */
const unreadBytesMax = 16 * 1_024 * 1_024;
/** One that was told `bye` has nothing left to do. */
const byeMsMax = 1_000;

export interface RpcProcessOptions extends RpcLaunchOptions {
  /** Longest time of one call, in milliseconds. */
  readonly turnMs: number;
  readonly host: RulesHost;
  readonly log: Logger;
}

interface Turn {
  readonly id: number;
  readonly done: (outcome: TurnOutcome) => void;
}

/**
 * One process that runs the rules, from its start to its end. It is told one thing at a time, and
 * what it calls meanwhile is answered at once. Whatever it does wrong on the way costs its life.
 */
export class RpcProcess implements RulesRun {
  readonly #ports: { readonly process: ProcessPort; readonly clock: Clock };
  readonly #options: RpcProcessOptions;
  readonly #events: RulesRunEvents;
  readonly #dispatcher: RpcDispatcher;
  readonly #stream = new RpcStream();
  readonly #complaints: RpcComplaints;
  #child: ChildProcess | undefined;
  /** A quick one speaks before it is known here, when it could not be answered. */
  readonly #early: Uint8Array[] = [];
  #ready = false;
  #end: string | undefined;
  #turn: Turn | undefined;
  #lastId = 0;
  #stopTimer: () => void = () => {};

  constructor(
    ports: { readonly process: ProcessPort; readonly clock: Clock },
    options: RpcProcessOptions,
    events: RulesRunEvents,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
    this.#dispatcher = new RpcDispatcher(options.host);
    this.#complaints = new RpcComplaints(options.log);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** May be told something now. */
  get isIdle(): boolean {
    return this.#ready && this.#end === undefined && this.#turn === undefined;
  }

  /** The events tell how it went. */
  start(): void {
    void this.#start();
  }

  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void {
    const { method, params } = rulesCall(call);
    this.#begin(method, params, done);
  }

  ping(done: (outcome: TurnOutcome) => void): void {
    this.#begin("ping", [], done);
  }

  /** What has ended without the rules is left alone: it is not told of any more. */
  forget(): void {}

  async #start(): Promise<void> {
    const { process } = this.#ports;
    const { command, directory } = this.#options;
    const { program, spawn } = rpcLaunch(process, this.#options);
    this.#setDeadline(startMsMax, `"${command}" did not say hello in ${startMsMax} ms`);
    try {
      const child = await process.spawn(program, {
        ...spawn,
        stdin: "pipe",
        stdout: (bytes) => this.#receive(bytes),
        stderr: (bytes) => this.#complaints.push(bytes),
      });
      if (this.#end !== undefined) child.kill("SIGKILL");
      this.#child = child;
      for (const bytes of this.#early.splice(0)) this.#receive(bytes);
      void child.exited.then((exit) =>
        this.kill(explainExit(command, exit, this.#complaints.firstLine))
      );
    } catch (fault) {
      const why = fault instanceof Error ? fault.message : String(fault);
      this.kill(`${why}, to run "${command}" in "${directory}"`);
    }
  }

  /** Ends it at once, by SIGKILL: whatever hangs in there listens to nothing else. */
  kill(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#turn = undefined;
    this.#stopTimer();
    this.#complaints.end();
    this.#child?.closeStdin();
    this.#child?.kill("SIGKILL");
    this.#events.ended(reason, this.#dispatcher.take().filter((notice) => notice.kind === "log"));
  }

  /** Says `bye` and waits until it is gone; `ended` is not told. One in a turn is killed. */
  async stop(): Promise<void> {
    const child = this.#child;
    const wasIdle = this.isIdle;
    this.#end ??= "the server is stopping";
    this.#stopTimer();
    if (child === undefined) return;
    if (wasIdle) {
      child.writeStdin(
        encodeRpc({ kind: "call", id: ++this.#lastId, method: "bye", params: [] }),
      );
    } else {
      child.kill("SIGKILL");
    }
    child.closeStdin();
    const stopTimer = this.#ports.clock.after(byeMsMax, () => child.kill("SIGKILL"));
    await child.exited;
    stopTimer();
  }

  #begin(method: string, params: readonly CborInput[], done: Turn["done"]): void {
    const id = ++this.#lastId;
    this.#turn = { id, done };
    const { turnMs } = this.#options;
    this.#setDeadline(turnMs, `${method} took longer than ${turnMs} ms`);
    this.#child?.writeStdin(encodeRpc({ kind: "call", id, method, params }));
  }

  #setDeadline(ms: number, reason: string): void {
    const { clock } = this.#ports;
    this.#stopTimer();
    this.#stopTimer = clock.after(ms, () => {
      this.#stopTimer = clock.after(lateMs, () => this.kill(reason));
    });
  }

  #receive(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    if (this.#child === undefined) {
      this.#early.push(new Uint8Array(bytes));
      return;
    }
    const fault = this.#stream.push(bytes, (message) => this.#handle(message));
    if (fault !== undefined) this.kill(fault);
  }

  #handle(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    const message = decodeRpc(bytes);
    switch (message.kind) {
      case "bad":
        return this.kill(`it wrote a message that makes no sense: ${message.reason}`);
      case "call":
      case "notification":
        return this.#called(message);
      case "result":
      case "error":
        return this.#answered(message);
    }
  }

  #called(call: RpcCall<CborValue> | RpcNotification<CborValue>): void {
    if (call.kind === "notification" && call.method === "hello") return this.#hello();
    if (this.#ready && this.#turn === undefined) {
      return this.kill(`it called ${JSON.stringify(call.method.slice(0, 80))} between turns`);
    }
    const answer = this.#dispatcher.answer(call);
    const { flood } = this.#dispatcher;
    if (flood !== undefined) return this.kill(flood);
    const child = this.#child;
    if (answer === undefined || child === undefined) return;
    child.writeStdin(encodeRpc(answer));
    if (child.bufferedBytes > unreadBytesMax) {
      this.kill(`it does not read: ${unreadBytesMax} bytes wait for it`);
    }
  }

  #hello(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#stopTimer();
    this.#events.ready(this.#dispatcher.take());
  }

  #answered(answer: RpcResult<CborValue> | RpcError<CborValue>): void {
    const turn = this.#turn;
    // Lua leaves the id out when it did not understand a call.
    if (turn === undefined || (answer.id !== undefined && answer.id !== turn.id)) {
      const waited = turn === undefined ? "nothing" : `the answer to call ${turn.id}`;
      return this.kill(`it answered call ${answer.id} when ${waited} was waited for`);
    }
    this.#turn = undefined;
    this.#stopTimer();
    const notices = this.#dispatcher.take();
    if (answer.kind === "result") {
      return turn.done({ outcome: "done", reason: "", notices });
    }
    const data = bytesOf(answer.data);
    const detail = data === undefined ? "" : `: ${decodeUtf8Lossy(data.subarray(0, 200))}`;
    const reason = `${answer.message} (${answer.code})${detail}`;
    turn.done({ outcome: "refused", reason, notices });
  }
}
