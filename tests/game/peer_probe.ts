import { defaultGameConfig } from "../../src/config/game_config.ts";
import { GamePeer, type PeerOwner } from "../../src/game/game_peer.ts";
import { GameSession, sessionRulesOf } from "../../src/game/session.ts";
import type { TcpConnection } from "../../src/ports/tcp.ts";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";

/** A socket that keeps what is written to it. */
export class SocketProbe implements TcpConnection<unknown> {
  data: unknown = undefined;
  readonly remoteHost: string;
  readonly remotePort = 1_234;
  bufferedBytes = 0;
  readonly writes: Uint8Array[] = [];

  constructor(remoteHost = "10.0.0.1") {
    this.remoteHost = remoteHost;
  }

  write(bytes: Uint8Array): boolean {
    this.writes.push(bytes);
    return true;
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

const nobody: PeerOwner = { received() {}, ended() {}, gone() {} };
const rules = sessionRulesOf(defaultGameConfig, nodeZlib());

/** A peer of nobody, and its socket. */
export function peerProbe(id = 1, host?: string): { peer: GamePeer; socket: SocketProbe } {
  const socket = new SocketProbe(host);
  const session = new GameSession(rules);
  return {
    peer: new GamePeer({ id, socket, session, owner: nobody, giveBack: undefined }),
    socket,
  };
}
