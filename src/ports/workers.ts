/** Threads of this program, each running one of its known entries. */

export type WorkerEntry =
  | "config_worker"
  | "crypto_worker"
  | "game_store_worker"
  | "lua_worker"
  | "packages_worker"
  | "store_worker";

export interface WorkerHandlers<Out> {
  message(message: Out): void;
  /** The worker threw outside any handler or could not be loaded; it is over. */
  error(error: Error): void;
}

export interface WorkerHandle<In> {
  post(message: In, transfer?: ArrayBuffer[]): void;
  /** Asks the runtime to end the thread. A loop inside WebAssembly may outlive it. */
  terminate(): void;
}

export interface WorkersPort {
  /** Starts a worker. Messages posted before it is up are kept in order. */
  start<In, Out>(
    options: { entry: WorkerEntry; name: string; handlers: WorkerHandlers<Out> },
  ): WorkerHandle<In>;
}

/** The other end: what a worker's own code sees. */
export interface WorkerScope<In, Out> {
  post(message: Out, transfer?: ArrayBuffer[]): void;
  /** Sets the one receiver. */
  onMessage(receive: (message: In) => void): void;
}
