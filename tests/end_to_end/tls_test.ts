import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { opcode, RawConnection, upgradeText } from "../adapters/raw_websocket.ts";
import { otherCertificate, otherKey, testCertificate, testKey } from "../adapters/tls_server.ts";
import { apiConfig, apiToken } from "../gateway_tools/gateway_api.ts";
import { binary, freePort, runProgram, startServer, withDirectory } from "./run_program.ts";

/** Far above the 5 seconds between two looks at the files. */
const replacedMsMax = 30_000;

const config = {
  tls_cert: "cert.pem",
  tls_key: "key.pem",
  gateway: { api: apiConfig },
  log: { file: "log" },
  routes: [{ clientIdPrefix: "", upstream: "echo:" }],
};

describe("freekill-gw with tls_cert and tls_key", () => {
  it("serves wss: and https:, and a replaced certificate without ending a connection", {
    timeout: 120_000,
  }, () =>
    withDirectory(async (cwd) => {
      const port = await freePort();
      writeFileSync(join(cwd, "freekill-gw.json"), JSON.stringify(config));
      replace(cwd, testCertificate, testKey);
      const server = await startServer([binary, "serve"], {
        cwd,
        flags: ["--http-port", `${port}`],
      });
      const peer = new RawConnection(await shake(port));
      peer.write(upgradeText("/ws?clientId=a&v=2"));
      assert.equal((await peer.readHead()).status, 101);
      assert.match(await peer.readText(), /"welcome"/);
      assert.equal(await nameOf(port), "test only");
      const https = new RawConnection(await shake(port));
      https.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assert.equal((await https.readResponse()).body, `{"status":"ok"}`);
      // The operator's command has its own way in.
      const stat = await runProgram([binary, "admin", "stat"], { cwd });
      assert.equal(stat.exitCode, 0, stat.stderr);

      replace(cwd, otherCertificate, testKey);
      await becomes("the refusal", () =>
        readFileSync(join(cwd, "log"), "utf8").includes("the new one is no use"));
      assert.equal(await nameOf(port), "test only", "a pair that does not fit changes nothing");
      replace(cwd, otherCertificate, otherKey);
      await becomes("the new certificate", async () =>
        await nameOf(port).catch(() =>
          "reset"
        ) === "other test only");
      peer.send(opcode.text, `{"type":0,"data":"still here"}`);
      assert.match(await peer.readText(), /still here/);
      peer.destroy();
      https.destroy();
      await server.stop();
    }));

  it(
    "takes a replaced certificate over when it is told to, at once, and reports what became of it",
    {
      timeout: 120_000,
    },
    () =>
      withDirectory(async (cwd) => {
        const port = await freePort();
        writeFileSync(join(cwd, "freekill-gw.json"), JSON.stringify(config));
        replace(cwd, testCertificate, testKey);
        const server = await startServer([binary, "serve"], {
          cwd,
          flags: ["--http-port", `${port}`],
        });
        const log = () => readFileSync(join(cwd, "log"), "utf8");
        const reports = () =>
          log().match(/"certificate":"\w+"[^\n]*"configuration reloaded"/g)?.map((line) =>
            line.split('"')[3]
          ) ?? [];
        assert.deepEqual(await reloadBy(port), { status: 200, certificate: "unchanged" });
        const pairs = [[otherCertificate, otherKey], [testCertificate, testKey]] as const;
        let at = 0;
        // The look that comes every five seconds may, once, be the first to see it.
        const untilTakenOver = async (reload: () => Promise<unknown>) => {
          for (let count = 0; count < 3; count++) {
            const [certificate, key] = pairs[at++ % 2]!;
            replace(cwd, certificate, key);
            if (await reload() === "taken_over") return;
          }
          throw new Error("It was not taken over at once");
        };
        await untilTakenOver(async () => (await reloadBy(port)).certificate);
        assert.equal(await nameOf(port), at % 2 === 1 ? "other test only" : "test only");
        await untilTakenOver(async () => {
          const before = reports().length;
          process.kill(server.pid, "SIGHUP");
          await becomes("the report", () => reports().length > before);
          return reports().at(-1);
        });
        assert.equal(await nameOf(port), at % 2 === 1 ? "other test only" : "test only");
        replace(cwd, "garbage", testKey);
        assert.deepEqual(await reloadBy(port), { status: 200, certificate: "refused" });
        assert.match(log(), /The certificate of the HTTP port stays: Cannot use tls_cert/);
        await server.stop();
      }),
  );

  it("--demo prints lines with wss: and https:", () =>
    withDirectory(async (cwd) => {
      writeFileSync(join(cwd, "freekill-gw.json"), JSON.stringify({ ...config, routes: [] }));
      replace(cwd, testCertificate, testKey);
      const port = await freePort();
      const flags = ["--demo", "--http-port", `${port}`, "--tcp-port", "0"];
      const child = Bun.spawn([binary, "serve", ...flags], {
        cwd,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "ignore",
      });
      let printed = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        printed += part;
        if (printed.includes("s.onmessage")) child.kill("SIGTERM");
      }
      await child.exited;
      const urls = printed.match(/\w+:\/\/[^\s"']*/g) ?? [];
      assert.deepEqual(urls, [
        `https://127.0.0.1:${port}/demo`,
        `wss://127.0.0.1:${port}/ws?clientId=demo&ack=1`,
        `wss://127.0.0.1:${port}/ws?clientId=demo&ack=1`,
      ]);
    }));

  for (
    const [what, certificate, key, line] of [
      ["no certificate", "garbage", testKey, /tls_cert "cert\.pem": it is no certificate/],
      ["the key of another", testCertificate, otherKey, /tls_key "key\.pem": it does not belong/],
      ["no key", testCertificate, undefined, /key\.pem/],
    ] as const
  ) {
    it(`ends the start with one line for ${what}`, () =>
      withDirectory(async (cwd) => {
        writeFileSync(join(cwd, "freekill-gw.json"), JSON.stringify(config));
        replace(cwd, certificate, key);
        const flags = ["--http-port", `${await freePort()}`, "--tcp-port", "0"];
        const outcome = await runProgram([binary, "serve", ...flags], { cwd });
        assert.equal(outcome.exitCode, 3, outcome.stderr);
        assert.match(outcome.stderr.trimEnd().split("\n").at(-1) ?? "", line);
      }));
  }
});

/** Puts files in place as programs that renew certificates do. */
function replace(cwd: string, certificate: string, key: string | undefined): void {
  for (const [name, text] of [["cert.pem", certificate], ["key.pem", key]] as const) {
    if (text === undefined) continue;
    writeFileSync(join(cwd, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(cwd, `${name}.new`), join(cwd, name));
  }
}

/** What the API says of the certificate after a reload. */
async function reloadBy(port: number): Promise<{ status: number; certificate: unknown }> {
  const https = new RawConnection(await shake(port));
  https.write(
    "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" +
      `Authorization: Bearer ${apiToken}\r\n\r\n`,
  );
  const { status, body } = await https.readResponse();
  https.destroy();
  return { status, certificate: JSON.parse(body).certificate };
}

async function becomes(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + replacedMsMax;
  while (!await isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`Waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function shake(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const ca = [testCertificate, otherCertificate];
    const socket = connect({ port, host: "127.0.0.1", ca }, () => resolve(socket));
    socket.once("error", reject);
  });
}

async function nameOf(port: number): Promise<unknown> {
  const socket = await shake(port);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}
