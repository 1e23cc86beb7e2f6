/** A program with a shell at its terminal, which tells what reaches it. Not a test by itself. */
import process from "node:process";
import { runtimeUnderTest } from "../tested_runtime.ts";

const runtime = await runtimeUnderTest();
const logger = runtime.log.open({ level: "info", format: "json", stderr: true });
// Ends a program that does not listen to it, when the terminal goes.
runtime.process.onSignal("SIGHUP", () => {});
const words = ["lsplayer", "lsroom"];

const shell = runtime.lineShell.open({
  prompt: "\x1b[36mgw>\x1b[0m ",
  history: ["newer", "older"],
  historyMax: 10,
  complete(before) {
    const candidates = words.filter((word) => word.startsWith(before));
    return { candidates, replaced: before };
  },
  line(line) {
    shell?.print(`line <${line}>\n`);
    if (line === "log") logger.info({}, "logged");
    if (line === "stdout") runtime.process.writeStdout("written\n");
    if (line === "exit") process.exit(0);
    if (line === "close") {
      shell?.close();
      process.stdout.write("closed\n", () => process.exit(0));
    }
  },
  interrupt: () => shell?.print("interrupt\n"),
  endOfInput: () => shell?.print("end of input\n"),
  gone: () => process.exit(7),
});
process.stdout.write(shell === undefined ? "no shell\n" : "");
// Only the shell's events end it.
if (shell !== undefined) setInterval(() => {}, 60_000);
