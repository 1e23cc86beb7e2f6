import assert from "node:assert/strict";
import {
  type Disconnection,
  type HistoryEnd,
  type MessageInfo,
  StratixClient,
  type StratixConfig,
  StratixError,
  type StratixMessage,
} from "../../src/sdk/stratix_client.ts";
import { Changes } from "../gateway_tools/changes.ts";
import { type ScriptedPeer, ScriptedServer } from "./scripted_server.ts";

/** A client and all that it ever said. */
export class SdkClient {
  readonly #changes = new Changes();
  readonly client: StratixClient;
  readonly messages: { message: StratixMessage; info: MessageInfo }[] = [];
  readonly disconnections: Disconnection[] = [];
  readonly errors: Error[] = [];
  readonly histories: HistoryEnd[] = [];
  readonly gaps: HistoryEnd[] = [];
  connects = 0;

  constructor(config: Partial<StratixConfig> & { gatewayUrl: string }) {
    this.client = new StratixClient({
      clientId: "client-1",
      reconnectInterval: 5,
      maxReconnectInterval: 20,
      ...config,
    });
    const saw = <T>(list: T[]) => (item: T) => {
      list.push(item);
      this.#changes.happened();
    };
    this.client.onMessage((message, info) => saw(this.messages)({ message, info }));
    this.client.onDisconnect(saw(this.disconnections));
    this.client.onError(saw(this.errors));
    this.client.onHistory(saw(this.histories));
    this.client.onGap(saw(this.gaps));
    this.client.onConnect(() => {
      this.connects++;
      this.#changes.happened();
    });
  }

  /** Waits until something is true of what it said. */
  readonly until = (what: string, isSo: () => boolean): Promise<true> =>
    this.#changes.until(what, () => isSo() || undefined);

  get texts(): unknown[] {
    return this.messages.map(({ message }) => message.data);
  }
}

/** Runs `use` with a client that is connected to the test's own server. */
export async function withClient(
  config: Partial<StratixConfig>,
  use: (stage: SdkClient & { server: ScriptedServer; peer: ScriptedPeer }) => Promise<void>,
): Promise<void> {
  await ScriptedServer.with(async (server) => {
    const seen = new SdkClient({ gatewayUrl: server.url, ...config });
    try {
      await seen.client.connect();
      await use(Object.assign(seen, { server, peer: await server.peer() }));
    } finally {
      seen.client.disconnect();
    }
  });
}

/** The code that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert(error instanceof StratixError, `a StratixError, not ${String(error)}`);
  return error.code;
}

/** Whether a promise is still open once everything that can run now has run. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const found = await Promise.race([
    promise.catch(() => {}),
    new Promise((resolve) => setTimeout(resolve, 0, pending)),
  ]);
  return found === pending;
}
