import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Arrival, UpstreamAnswer } from "./upstream_server.ts";

/** An upstream in a process of its own. */
export class UpstreamProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #recordFile: string;

  private constructor(
    child: ChildProcess,
    { port, recordFile }: { port: number; recordFile: string },
  ) {
    this.#child = child;
    this.port = port;
    this.#recordFile = recordFile;
  }

  static async start(
    { answer, recordFile, port = 0 }: { answer: UpstreamAnswer; recordFile: string; port?: number },
  ): Promise<UpstreamProcess> {
    const main = fileURLToPath(new URL("upstream_main.ts", import.meta.url));
    const run = "Bun" in globalThis ? [] : ["run", "-A"];
    const child = spawn(process.execPath, [...run, main, answer, recordFile, `${port}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const listening = await new Promise<number>((resolve, reject) => {
      let said = "";
      child.on("exit", () => reject(new Error("the upstream ended before it listened")));
      child.stdout.on("data", (bytes) => {
        said += bytes;
        const found = /^upstream_ready port=(\d+)$/m.exec(said)?.[1];
        if (found !== undefined) resolve(Number(found));
      });
    });
    return new UpstreamProcess(child, { port: listening, recordFile });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  /** What it has recorded, the texts left out. */
  arrivals(): Arrival[] {
    if (!existsSync(this.#recordFile)) return [];
    const lines = readFileSync(this.#recordFile, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => {
      const [clientId = "", messageId = ""] = line.split(" ");
      return { clientId, messageId, text: "" };
    });
  }

  /** SIGSTOP: its connections stay and nothing moves. */
  freeze(): void {
    process.kill(this.#pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#pid, "SIGCONT");
  }

  get #pid(): number {
    return this.#child.pid ?? 0;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
