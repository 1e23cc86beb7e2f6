import { connect, type Socket } from "node:net";

/** A connection that has begun to ask for an upgrade. */
export interface HalfOpen {
  readonly socket: Socket;
  /** The gateway has ended it. */
  readonly closed: Promise<void>;
}

/** Connects, and sends the first half of an upgrade request. */
export function halfHandshake(port: number): Promise<HalfOpen> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      // A reset is an end as well.
      socket.on("error", () => {});
      socket.resume();
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.write(
        "GET /ws?clientId=half HTTP/1.1\r\nHost: localhost\r\nUpgr",
        () => resolve({ socket, closed }),
      );
    });
  });
}
