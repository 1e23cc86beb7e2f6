/**
 * Load: `rounds` connections one after the other announce a string of 1 GB before login and send
 * 50 MB of it, as far as the server takes them. Prints `{accepted}`: bytes that left, over all.
 */
import { connect } from "node:net";
import { sourceAddress } from "./game_player.ts";
import { loadOptions } from "./load_options.ts";

const { port, rounds } = loadOptions<{ port: number; rounds: number }>();

const head = Uint8Array.of(0x84, 0x21, 0x19, 0x04, 0x12, 0x45, 0x53, 0x65, 0x74, 0x75, 0x70, 0x5a);
const length = Uint8Array.of(0x40, 0x00, 0x00, 0x00);
const chunk = new Uint8Array(65_536).fill(0x41);
const chunks = Math.ceil(50_000_000 / chunk.length);

let accepted = 0;
for (let round = 0; round < rounds; round++) {
  accepted += await new Promise<number>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: sourceAddress(round) });
    let sent = 0;
    const pump = () => {
      while (sent < chunks && !socket.destroyed) {
        sent++;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.once("data", () => {
      socket.write(head);
      socket.write(length);
      socket.on("drain", pump);
      pump();
    });
    // The server hangs up in the middle: that is what is asked of it.
    socket.on("error", () => {});
    socket.on("close", () => resolve(socket.bytesWritten));
  });
}
console.log(JSON.stringify({ accepted }));
