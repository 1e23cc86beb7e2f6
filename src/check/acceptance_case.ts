import { assert } from "../base/assert.ts";
import { PrivateServer, type PrivateServerOptions } from "./private_server.ts";
import type { Workspace } from "./workspace.ts";

/** One promise of the server, tried on a real one. */
export interface AcceptanceCase {
  /** What is promised, as a sentence without a full stop; unique over all cases. */
  readonly name: string;
  /** Rejects with ProbeFailure when the promise is broken. */
  readonly run: (context: CaseContext) => Promise<void>;
}

/** Cases that run one after another, while other groups run beside them. */
export interface CaseGroup {
  readonly topic: string;
  /** The server that the group's cases share; without it each case starts what it needs. */
  readonly server?: PrivateServerOptions;
  readonly cases: readonly AcceptanceCase[];
}

/** What a case works with. */
export class CaseContext {
  readonly workspace: Workspace;
  /** Keys that every private server gets besides its own, such as `drift_mode`. */
  readonly baseSettings: Readonly<Record<string, unknown>>;
  readonly #server: PrivateServer | undefined;

  constructor(
    workspace: Workspace,
    baseSettings: Readonly<Record<string, unknown>>,
    server?: PrivateServer,
  ) {
    this.workspace = workspace;
    this.baseSettings = baseSettings;
    this.#server = server;
  }

  /** The group's server. */
  get server(): PrivateServer {
    assert(this.#server !== undefined, "the case's group has a server");
    return this.#server;
  }

  /** Starts another server, for this case alone; it is killed at the end of the check if not before. */
  startServer(options: PrivateServerOptions = {}): Promise<PrivateServer> {
    return PrivateServer.start(this.workspace, this.withBase(options));
  }

  /** `options` with the base settings below its own. */
  withBase(options: PrivateServerOptions): PrivateServerOptions {
    return { ...options, settings: { ...this.baseSettings, ...options.settings } };
  }

  /** The same context for another server. */
  on(server: PrivateServer): CaseContext {
    return new CaseContext(this.workspace, this.baseSettings, server);
  }
}
