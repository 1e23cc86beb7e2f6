import type { Clock } from "../../ports/clock.ts";
import type { ChildExit, ChildProcess, ProcessPort } from "../../ports/process.ts";
import { encodeFrame, FrameReader } from "./child_frames.ts";
import type { LoadedScript, ScriptHostOptions, ScriptOutcome } from "./script_host.ts";
import { scriptLimits, scriptSandbox } from "./script_sandbox.ts";
import { tooLong } from "./script_state.ts";
import { oneLine } from "./script_text.ts";

/** A Lua that has not said it is ready by then will not: it takes milliseconds. */
const startMsMax = 5_000;
/** Address space of the interpreter itself, its libraries and its stack, on top of the script's. */
const overheadMb = 16;
/**
 * Processor time of a child's whole life. A child whose server was killed ends by itself when its
 * input closes, save in the middle of a loop; this ends it then.
 */
const processorSecondsMax = 600;
/** How much of what a child wrote that does not speak our frames goes into a reason. */
const complaintCharsMax = 100;
/** Exit codes: ours for a wrong Lua, and those of env(1) for a program that cannot be run. */
const exits = { wrongVersion: 93, cannotRun: 126, notFound: 127 };

/**
 * Bounds the memory, forbids writing files, clears the environment, and becomes the Lua. $1 is the
 * address space in KiB, $2 the processor seconds.
 */
const launch = `ulimit -v "$1" -t "$2" -f 0 -c 0 2>/dev/null || {
ulimit -v "$1"; ulimit -t "$2"; ulimit -f 0; ulimit -c 0; } 2>/dev/null
shift 2; exec env -i PATH="$PATH" "$@"`;

/** Given to Lua with -e. Its text must parse in Lua 5.1 too, which is to be told what is wrong. */
const bootstrap = String.raw`if _VERSION ~= "Lua 5.4" then
  io.stderr:write("Lua 5.4 is needed, this is " .. _VERSION)
  os.exit(${exits.wrongVersion})
end
local input, output, exit = io.stdin, io.stdout, os.exit
local read, write, flush = input.read, output.write, output.flush
local pack, unpack, select = string.pack, string.unpack, select
output:setvbuf("full")
local function send(...)
  local texts = ""
  for index = 1, select("#", ...) do texts = texts .. pack(">s4", (select(index, ...)) or "") end
  write(output, pack(">s4", texts))
  flush(output)
end
local function receive()
  local head = read(input, 4)
  local frame = head and #head == 4 and read(input, (unpack(">I4", head)))
  -- No clean-up: __gc is the script's own code.
  if not frame then exit(0, false) end
  local operation, first, second, at
  operation, at = unpack(">s4", frame)
  if at <= #frame then first, at = unpack(">s4", frame, at) end
  if at <= #frame then second, at = unpack(">s4", frame, at) end
  return operation, first, second
end
local _, sandbox = receive()
local dispatch = load(sandbox, "=sandbox", "t")(function(text) send("printed", text) end)
send("ready")
while true do send("answer", dispatch(receive())) end
`;

/** What a call waits for. */
interface Waiting {
  readonly settle: (outcome: ScriptOutcome) => void;
  readonly stopTimer: () => void;
}

/** One process of a native Lua 5.4, which runs one script. Nothing here rejects. */
export class NativeLua {
  readonly #options: ScriptHostOptions;
  readonly #clock: Clock;
  readonly #command: string;
  readonly #waiting: Waiting[] = [];
  readonly #frames = new FrameReader();
  #child: ChildProcess | undefined;
  #ready = false;
  #markReady: () => void = () => {};
  #errors = "";
  #end: string | undefined;
  #retired: string | undefined;

  /** `command` is split at spaces: `lua5.4`, `/usr/bin/lua5.4 -W`. */
  constructor(clock: Clock, command: string, options: ScriptHostOptions) {
    this.#clock = clock;
    this.#command = command;
    this.#options = options;
  }

  /** Why it ended; undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Once, first: resolves when it runs, or when `end` says why it does not. */
  async start(process: ProcessPort): Promise<void> {
    const ready = new Promise<void>((resolve) => this.#markReady = resolve);
    const [program, ...flags] = this.#command.trim().split(/\s+/);
    const lua = [program ?? "", "-E", ...flags, "-e", bootstrap];
    const memoryKb = (this.#options.memoryMb + overheadMb) * 1_024;
    const [command, ...args] = process.platform === "windows"
      ? lua
      : ["sh", "-c", launch, "sh", String(memoryKb), String(processorSecondsMax), ...lua];
    let child: ChildProcess;
    try {
      child = await process.spawn(command ?? "", {
        args,
        stdin: "pipe",
        stdout: (bytes) => this.#receive(bytes),
        stderr: (bytes) => this.#complain(bytes),
      });
    } catch (fault) {
      return this.kill(fault instanceof Error ? fault.message : String(fault));
    }
    if (this.#end !== undefined) return child.kill("SIGKILL");
    this.#child = child;
    void child.exited.then((exit) => this.kill(this.#explain(exit)));
    const encoder = new TextEncoder();
    const first = [encoder.encode("sandbox"), encoder.encode(scriptSandbox)];
    child.writeStdin(encodeFrame(first));
    const stopTimer = this.#clock.after(
      startMsMax,
      () => this.kill(`"${this.#command}" is no Lua: it did not answer in ${startMsMax} ms`),
    );
    await ready;
    stopTimer();
  }

  load(script: LoadedScript): Promise<ScriptOutcome> {
    const encoder = new TextEncoder();
    return this.#call([encoder.encode("load"), script.source, encoder.encode(script.name)]);
  }

  hello(): Promise<ScriptOutcome> {
    return this.#call([new TextEncoder().encode("hello")]);
  }

  /** Ends it as soon as its calls under way are answered; each has the time of a turn for that. */
  retire(reason: string): void {
    this.#retired = reason;
    if (this.#waiting.length === 0) this.kill(reason);
  }

  /** Kills it; calls under way are answered with `reason`. */
  kill(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#child?.closeStdin();
    this.#child?.kill("SIGKILL");
    this.#markReady();
    for (const waiting of this.#waiting.splice(0)) {
      waiting.stopTimer();
      waiting.settle({ outcome: "failed", text: reason });
    }
  }

  #call(texts: readonly Uint8Array[]): Promise<ScriptOutcome> {
    if (this.#end !== undefined) return Promise.resolve({ outcome: "failed", text: this.#end });
    const { turnMs } = this.#options;
    return new Promise((settle) => {
      const stopTimer = this.#clock.after(turnMs, () => this.kill(tooLong(turnMs)));
      this.#waiting.push({ settle, stopTimer });
      this.#child?.writeStdin(encodeFrame(texts));
    });
  }

  #receive(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    const frames = this.#frames.push(bytes);
    if (frames === undefined) {
      const sample = new TextDecoder().decode(bytes.subarray(0, scriptLimits.reasonBytesMax));
      return this.kill(`${this.#speaksOther()}, it wrote: ${complaint(sample)}`);
    }
    for (const [kind, first, second] of frames) this.#handle(kind, first ?? "", second ?? "");
  }

  #handle(kind: string | undefined, first: string, second: string): void {
    if (kind === "ready") {
      this.#ready = true;
      return this.#markReady();
    }
    if (kind === "printed") return this.#options.printed(first);
    const waiting = this.#waiting.shift();
    if (kind !== "answer" || waiting === undefined) {
      return this.kill(this.#speaksOther());
    }
    waiting.stopTimer();
    const outcome = first === "ok" || first === "missing" ? first : "failed";
    waiting.settle({ outcome, text: second });
    if (this.#retired !== undefined) this.retire(this.#retired);
  }

  #complain(bytes: Uint8Array): void {
    if (this.#errors.length >= scriptLimits.reasonBytesMax) return;
    this.#errors += new TextDecoder().decode(bytes.subarray(0, scriptLimits.reasonBytesMax));
  }

  #speaksOther(): string {
    return `"${this.#command}" does not speak our protocol as a Lua 5.4 would`;
  }

  #explain(exit: ChildExit): string {
    const cannot = `Cannot start "${this.#command}"`;
    const said = complaint(this.#errors);
    if (exit.code === exits.notFound) return `${cannot}: there is no such program`;
    if (exit.code === exits.cannotRun) return `${cannot}: it may not be run`;
    if (exit.code === exits.wrongVersion) return `${cannot}: ${said}`;
    if (!this.#ready) return `${this.#speaksOther()}: ${said || "it ended at once"}`;
    const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
    return said === "" ? `the Lua process ended ${how}` : `the Lua process ended ${how}: ${said}`;
  }
}

/** The first line of what a program wrote, fit for a reason. Programs like to repeat what they were
 * called with, which is our own code. */
function complaint(output: string): string {
  const [line = ""] = output.trim().split("\n");
  const own = line.indexOf(bootstrap.slice(0, 11));
  const theirs = own < 0 ? line : `${line.slice(0, own)}…`;
  return oneLine(theirs).slice(0, complaintCharsMax);
}
