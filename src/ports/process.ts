/** This program as the system sees it, and the programs it starts. */

export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGKILL" | "SIGSTOP" | "SIGCONT";

export interface ChildExit {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

export interface SpawnOptions {
  readonly args: readonly string[];
  /** Added to this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Output is given here as it comes; without a receiver it is thrown away. */
  stdout?(bytes: Uint8Array): void;
  stderr?(bytes: Uint8Array): void;
  /** Opens a pipe to its standard input; else that is empty. */
  readonly stdin?: "pipe";
  /** Away from the signals that a terminal sends to this program and all that it started (Ctrl-C),
   * and from its hanging up: who starts it so passes on what it should hear. Not on Windows. */
  readonly ownGroup?: boolean;
}

export interface ChildProcess {
  readonly pid: number;
  /** False after the child ended or closed its input. Bytes in order; `bufferedBytes` wait. */
  writeStdin(bytes: Uint8Array): boolean;
  readonly bufferedBytes: number;
  closeStdin(): void;
  /** No error when it has ended already. */
  kill(signal: SignalName): void;
  /** Resolves when it ended and its output was read. */
  readonly exited: Promise<ChildExit>;
}

export interface ProcessPort {
  readonly pid: number;
  /** Without the program itself: `["serve", "--tcp-port", "1"]`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isTerminal: {
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  };
  /** Processors that this program may use; at least 1. */
  readonly processors: number;
  readonly platform: "linux" | "darwin" | "windows";
  /** The first line of standard input, without its end, or what there is of one; where it is longer
   * than `bytesMax`, its beginning, which is longer too. */
  readInputLine(bytesMax: number): Promise<Uint8Array>;
  writeStdout(text: string): void;
  writeStderr(text: string): void;
  /** Calls `receive` for each such signal instead of the default; returns how to stop that. */
  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", receive: () => void): () => void;
  /** Calls `receive` for an exception or rejection that nobody caught, instead of the runtime's own
   * report of it with its stack. The program should end then. */
  onUncaught(receive: (error: unknown) => void): void;
  exit(code: number): never;
  /** Starts a program. Rejects when it cannot be started (ENOENT, EACCES). */
  spawn(command: string, options: SpawnOptions): Promise<ChildProcess>;
  /** Starts this very program again with other arguments, from source or compiled. */
  spawnSelf(options: SpawnOptions): Promise<ChildProcess>;
  /** The same for one that is not our child; false when there is no such process. */
  kill(pid: number, signal: SignalName | 0): boolean;
  usage(): {
    readonly residentBytes: number;
    readonly heapBytes: number;
    readonly cpuMicros: number;
  };
  /** How many files and sockets this process may hold open; undefined where nobody knows. */
  fileDescriptorLimit(): number | undefined;
}
