import type {
  ChildExit,
  ChildProcess,
  ProcessPort,
  SignalName,
  SpawnOptions,
} from "../../src/ports/process.ts";

/** Thrown by `exit`, so that a test sees that nothing runs after it. */
export class FakeExit extends Error {
  override readonly name = "FakeExit";
  readonly code: number;

  constructor(code: number) {
    super(`exit with code ${code}`);
    this.code = code;
  }
}

/** A child whose life the test plays. */
export interface FakeChild extends ChildProcess {
  readonly command: string;
  readonly options: SpawnOptions;
  /** Signals it got, in order. SIGKILL ends it; others only if the test says so. */
  readonly signals: readonly SignalName[];
  /** What was written to its input. */
  readonly input: readonly Uint8Array[];
  print(text: string): void;
  printError(text: string): void;
  end(exit: ChildExit): void;
  readonly isRunning: boolean;
  /** The program's environment with what was added. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves when its input was closed, or was never open. */
  readonly inputClosed: Promise<void>;
}

export interface FakeProcess extends ProcessPort {
  readonly stdout: string;
  readonly stderr: string;
  readonly children: readonly FakeChild[];
  /** Delivers a signal to whoever listens; false when nobody does. */
  raise(signal: "SIGINT" | "SIGTERM" | "SIGHUP"): boolean;
  /** The next spawn rejects with this code. */
  failNextSpawn(code: string): void;
}

export function fakeProcess(
  given: {
    args?: readonly string[];
    env?: Readonly<Record<string, string | undefined>>;
    isTerminal?: boolean;
    /** What comes in. */
    input?: string;
    /** Called for each child that starts. */
    started?(child: FakeChild): void;
  } = {},
): FakeProcess {
  const receivers: { signal: string; receive: () => void }[] = [];
  const children: FakeChild[] = [];
  const written = { stdout: "", stderr: "" };
  const isTerminal = given.isTerminal ?? false;
  let pid = 1_000;
  let spawnFailure: string | undefined;

  async function spawn(command: string, options: SpawnOptions): Promise<ChildProcess> {
    const code = spawnFailure;
    spawnFailure = undefined;
    if (code !== undefined) {
      throw Object.assign(new Error(`Cannot start "${command}": ${code}`), { code });
    }
    const child = fakeChild(++pid, command, options, { ...given.env, ...options.env });
    children.push(child);
    given.started?.(child);
    return child;
  }

  return {
    pid,
    args: given.args ?? [],
    env: given.env ?? {},
    cwd: "/",
    isTerminal: { stdin: isTerminal, stdout: isTerminal, stderr: isTerminal },
    processors: 2,
    platform: "linux",
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    children,
    readInputLine: () => Promise.resolve(new TextEncoder().encode(given.input?.split("\n")[0])),
    writeStdout(text) {
      written.stdout += text;
    },
    writeStderr(text) {
      written.stderr += text;
    },
    onSignal(signal, receive) {
      const entry = { signal, receive };
      receivers.push(entry);
      return () => {
        const at = receivers.indexOf(entry);
        if (at >= 0) receivers.splice(at, 1);
      };
    },
    raise(signal) {
      const hit = receivers.filter((entry) => entry.signal === signal);
      for (const entry of hit) entry.receive();
      return hit.length > 0;
    },
    onUncaught() {},
    exit(code) {
      throw new FakeExit(code);
    },
    spawn,
    spawnSelf: (options) => spawn("self", options),
    failNextSpawn(code) {
      spawnFailure = code;
    },
    kill(target, signal) {
      const child = children.find((one) => one.pid === target && one.isRunning);
      if (child === undefined) return false;
      if (signal !== 0) child.kill(signal);
      return true;
    },
    usage: () => ({ residentBytes: 0, heapBytes: 0, cpuMicros: 0 }),
    fileDescriptorLimit: () => 1_024,
  };
}

function fakeChild(
  pid: number,
  command: string,
  options: SpawnOptions,
  env: FakeChild["env"],
): FakeChild {
  const signals: SignalName[] = [];
  const input: Uint8Array[] = [];
  const { promise: exited, resolve } = Promise.withResolvers<ChildExit>();
  const { promise: inputClosed, resolve: closeInput } = Promise.withResolvers<void>();
  let isInputOpen = options.stdin === "pipe";
  if (!isInputOpen) closeInput();
  let isRunning = true;
  const end = (exit: ChildExit) => {
    isRunning = false;
    isInputOpen = false;
    closeInput();
    resolve(exit);
  };
  return {
    pid,
    command,
    options,
    signals,
    input,
    env,
    exited,
    inputClosed,
    bufferedBytes: 0,
    get isRunning() {
      return isRunning;
    },
    writeStdin(bytes) {
      if (isInputOpen) input.push(bytes.slice());
      return isInputOpen;
    },
    closeStdin() {
      isInputOpen = false;
      closeInput();
    },
    kill(signal) {
      if (!isRunning) return;
      signals.push(signal);
      if (signal === "SIGKILL") end({ code: null, signal });
    },
    print: (text) => options.stdout?.(new TextEncoder().encode(text)),
    printError: (text) => options.stderr?.(new TextEncoder().encode(text)),
    end,
  };
}
