import type { WorkerScope } from "../../src/ports/workers.ts";

/** What a test may ask of the test worker. */
export type WorkerOrder =
  | { readonly kind: "echo"; readonly value: unknown }
  | { readonly kind: "buffer"; readonly buffer: ArrayBuffer }
  | { readonly kind: "count"; readonly counter: SharedArrayBuffer }
  | { readonly kind: "throw"; readonly message: string }
  | { readonly kind: "reject"; readonly message: string };

export type WorkerAnswer =
  | { readonly kind: "echo"; readonly value: unknown }
  | { readonly kind: "buffer"; readonly buffer: ArrayBuffer; readonly sentBytes: number };

/** Listens only after a while, so that early messages must be kept. */
export async function runTestWorker(scope: WorkerScope<WorkerOrder, WorkerAnswer>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  scope.onMessage((order) => {
    switch (order.kind) {
      case "echo":
        return scope.post({ kind: "echo", value: order.value });
      case "buffer": {
        new Uint8Array(order.buffer).fill(7);
        const answer = { kind: "buffer", buffer: order.buffer, sentBytes: 0 } as const;
        scope.post({ ...answer, sentBytes: order.buffer.byteLength }, [order.buffer]);
        return;
      }
      case "count": {
        const counter = new Int32Array(order.counter);
        setInterval(() => Atomics.add(counter, 0, 1), 1);
        return;
      }
      case "throw":
        throw new Error(order.message);
      case "reject":
        return void Promise.reject(new Error(order.message));
    }
  });
}
