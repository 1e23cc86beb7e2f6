/** What the host protocol keeps on disk, as operations on a store that runs elsewhere. */
export type StoreOperation =
  | { readonly kind: "save"; readonly value: string }
  | { readonly kind: "load" }
  | { readonly kind: "delete" }
  /** Remembers `thread` for a key unless one is remembered already; answers the remembered one. */
  | { readonly kind: "route"; readonly key: string; readonly thread: number };

export type StoreResult =
  | { readonly ok: true; readonly value?: string; readonly thread?: number }
  | { readonly ok: false; readonly reason: string };

export interface StoreCounters {
  readonly begins: number;
  readonly commits: number;
  readonly rollbacks: number;
  /** Rows of the state table. */
  readonly states: number;
}

export const noStoreCounters: StoreCounters = { begins: 0, commits: 0, rollbacks: 0, states: 0 };

/** Operations are done in order; each is durable when its promise resolves. */
export interface HostStore {
  readonly counters: StoreCounters;
  /** Why the last batch failed; undefined while all is well. */
  readonly trouble: string | undefined;
  /** Routes remembered from before, read when the store was opened. */
  readonly routes: ReadonlyMap<string, number>;
  /** Never rejects. */
  perform(operation: StoreOperation): Promise<StoreResult>;
}
