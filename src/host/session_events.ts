import type { HostDisconnect } from "./disconnect.ts";
import type { HostCommands, HostTask } from "./host_commands.ts";
import type { HostMetrics } from "./host_metrics.ts";

/** What happens to one TCP connection of the host protocol. */
export type SessionEvent =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** The peer sent its FIN. */
  | { readonly kind: "peer_end" }
  /** What was written could not leave at once. */
  | { readonly kind: "blocked" }
  /** What was written has left, or was taken at once: input that waits may go on. */
  | { readonly kind: "writable" }
  /** A task that this session asked for is done. */
  | { readonly kind: "replied"; readonly slot: ReplySlot; readonly text: string }
  /** The time is up within which a peer that speaks first would have spoken. */
  | { readonly kind: "silent" }
  /** The time asked for by a `wake` effect has come. */
  | { readonly kind: "wake" }
  /** Comes every few seconds: has this connection been idle or blocked for too long? */
  | { readonly kind: "sweep" };

/** What is to be done for it, in order. */
export type SessionEffect =
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  | { readonly kind: "task"; readonly task: HostTask; readonly slot: ReplySlot }
  | { readonly kind: "wake"; readonly at: number }
  /** Hand the connection to the other protocol, with what came; it is no session's any more. */
  | { readonly kind: "adopt"; readonly bytes: Uint8Array | undefined }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  /** Send what was written, then close. */
  | { readonly kind: "end"; readonly reason: HostDisconnect }
  | { readonly kind: "destroy"; readonly reason: HostDisconnect }
  | { readonly kind: "stop_server" };

/** The place of one reply in the order of a connection's replies. */
export interface ReplySlot {
  /** undefined while it is waited for; a function is called when it is its turn. */
  text: string | (() => string) | undefined;
}

/** What all sessions of one server share. */
export interface SessionShared {
  readonly commands: HostCommands;
  readonly metrics: HostMetrics;
  /** `auto`: game clients are told apart by their first byte; `host`: everybody is a probe. */
  readonly mode: "auto" | "game" | "host";
  /** Whether there is another protocol to hand game clients to; else they are closed. */
  readonly hasOther: boolean;
  /** Silence after which a connection from another machine is closed; 0 = never. */
  readonly idleMsMax: number;
}
