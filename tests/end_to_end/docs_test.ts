import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cleanEnvironment } from "../program_environment.ts";
import { freePort, root } from "./run_program.ts";
import { binary, runProgram, withDirectory } from "./run_program.ts";

/** Blocks of a page that are marked: `<!-- runs -->`, `<!-- file: NAME -->`, `<!-- config -->`. */
interface Block {
  readonly mark: string;
  readonly text: string;
}

/** Far above what any page takes: only a hang comes near. */
const pageMsMax = 60_000;

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md"));

describe("The documentation's commands", () => {
  for (const page of pages) {
    const runs = blocksOf(page).filter(({ mark }) => mark === "runs");
    if (runs.length === 0) continue;
    it(`of ${page} run word for word in a fresh directory`, async (context) => {
      const missing = ["curl", "openssl", "bash"].find((name) => Bun.which(name) === null);
      if (missing !== undefined) return context.skip(`${missing} is not on this machine`);
      await withDirectory(async (directory) => {
        symlinkSync(binary, join(directory, "freekill-gw"));
        const script = (await withOwnPorts(runs.map(({ text }) => text).join("\n"))).text;
        const outcome = await runPage(script, directory);
        assert.deepEqual([outcome.exitCode, outcome.timedOut], [0, false], outcome.output);
      });
    });
  }

  it("are there: pages have blocks that are run", () => {
    const marked = pages.filter((page) => blocksOf(page).some(({ mark }) => mark === "runs"));
    assert.ok(marked.includes("docs/gateway-deployment.md"));
    assert.ok(marked.includes("docs/gateway-deployment.zh-CN.md"));
  });
});

describe("The documentation's configurations", () => {
  for (const page of pages) {
    const configs = blocksOf(page).filter(({ mark }) => mark === "config");
    for (const [index, { text }] of configs.entries()) {
      it(`of ${page} (${index + 1}) are taken`, async () => {
        await withDirectory(async (directory) => {
          writeFileSync(join(directory, "freekill-gw.json"), text);
          const { exitCode, stderr } = await runProgram(
            [binary, "serve", "--print-effective-config"],
            { cwd: directory },
          );
          assert.deepEqual([exitCode, stderr], [0, ""]);
        });
      });
    }
  }
});

describe("The site for nginx in docs/gateway-deployment.md", () => {
  it("is valid, and carries WebSocket messages over TLS", async (context) => {
    const nginx = Bun.which("nginx", { PATH: `${process.env.PATH}:/usr/sbin` });
    if (nginx === null) return context.skip("nginx is not on this machine");
    if (Bun.which("openssl") === null) return context.skip("openssl is not on this machine");
    await withDirectory(async (directory) => {
      const site = await makeSite(directory);
      const tested = await runProgram([nginx, "-t", "-p", directory, "-c", "nginx.conf"], {
        cwd: directory,
      });
      assert.equal(tested.exitCode, 0, tested.stderr);
      const gateway = spawn([binary, "serve"], directory);
      const proxy = spawn([nginx, "-p", directory, "-c", "nginx.conf"], directory);
      try {
        const url = `https://localhost:${site.tlsPort}`;
        const tls = { rejectUnauthorized: false };
        await untilAnswers(`${url}/health/ready`, tls);
        assert.equal((await fetch(`${url}/metrics`, { tls })).status, 404);
        assert.equal((await fetch(`${url}/api/v1/stats`, { tls })).status, 404);
        const moved = await fetch(`http://localhost:${site.plainPort}/ws`, { redirect: "manual" });
        assert.equal(moved.status, 301);
        assert.match(
          await exchange(`wss://localhost:${site.tlsPort}/ws?clientId=a&ack=1`),
          /hello/,
        );

        const log = () => readFileSync(join(directory, "gateway.log"), "utf8");
        await becomes(() => log().includes('"GET /ws" 101'));
        assert.ok(!log().includes("clientId"), "the query is not logged");
      } finally {
        proxy.kill("SIGQUIT");
        gateway.kill("SIGTERM");
        await Promise.all([proxy.exited, gateway.exited]);
      }
      assert.equal(gateway.exitCode, 0);
    });
  });
});

describe("The API's commands in docs/gateway-operations.md", () => {
  it("do what they say, one after the other", async (context) => {
    if (Bun.which("curl") === null) return context.skip("curl is not on this machine");
    const page = readFileSync(join(root, "docs/gateway-operations.md"), "utf8");
    const block = /^```sh\n(api=http.*?)^```$/ms.exec(page)?.[1];
    assert.ok(block !== undefined, "the page has a block that begins with api=http");
    await withDirectory(async (directory) => {
      const { text, httpPort, tcpPort } = await withOwnPorts(block);
      const token = "an operator's token of 32 bytes!".replaceAll(" ", "-");
      const hash = new Bun.CryptoHasher("sha256").update(token).digest("hex");
      const config = {
        tcp_port_mode: "host",
        tcp_port: tcpPort,
        http_port: httpPort,
        gateway: { api: { tokens: [`ops:write:${hash}`] } },
        routes: [{ clientIdPrefix: "", upstream: "echo:" }],
      };
      writeFileSync(join(directory, "freekill-gw.json"), JSON.stringify(config));
      const gateway = spawn([binary, "serve"], directory);
      try {
        await untilAnswers(`http://127.0.0.1:${httpPort}/health/ready`, {
          rejectUnauthorized: false,
        });
        // One of the commands sends it away.
        const client = new WebSocket(`ws://127.0.0.1:${httpPort}/ws?clientId=client-1`);
        await new Promise((resolve) => client.onopen = resolve);
        const script = text.replaceAll(/^curl /gm, "echo; curl -fsS ");
        const outcome = await runProgram(["bash", "-eu", "-c", script], {
          cwd: directory,
          env: { ...cleanEnvironment(), token },
        });
        assert.deepEqual([outcome.exitCode, outcome.stderr], [0, ""]);
        const answers = outcome.stdout.split("\n").filter((line) => line !== "");
        assert.equal(answers.length, block.match(/^curl /gm)?.length);
        assert.match(outcome.stdout, /"kicked":true/);
      } finally {
        gateway.kill("SIGTERM");
        await gateway.exited;
      }
    });
  });
});

/** The page's site with ports, certificate and log of its own, and all around it. */
async function makeSite(directory: string): Promise<{ tlsPort: number; plainPort: number }> {
  const page = blocksOf("docs/gateway-deployment.md");
  const site = page.find(({ mark }) => mark === "file: gateway.conf");
  assert.ok(site !== undefined, "the page has a block for gateway.conf");
  const first = page.find(({ mark }) => mark === "runs");
  const config = /<<'JSON'\n(.*?)\nJSON\n/s.exec(first?.text ?? "")?.[1];
  assert.ok(config !== undefined, "its first block has a configuration");
  const { text: own, httpPort, tcpPort } = await withOwnPorts(site.text);
  const tlsPort = await freePort();
  const plainPort = await freePort();
  const given = JSON.parse(config) as Record<string, unknown>;
  writeFileSync(
    join(directory, "freekill-gw.json"),
    JSON.stringify({ ...given, tcp_port: tcpPort, http_port: httpPort }),
  );
  const text = own
    .replaceAll(/listen (\[::\]:)?443/g, (_, six = "") => `listen ${six}${tlsPort}`)
    .replaceAll(/listen (\[::\]:)?80;/g, (_, six = "") => `listen ${six}${plainPort};`)
    .replaceAll(/\/etc\/letsencrypt\/live\/[^/]+\/fullchain\.pem/g, join(directory, "cert.pem"))
    .replaceAll(/\/etc\/letsencrypt\/live\/[^/]+\/privkey\.pem/g, join(directory, "key.pem"))
    .replaceAll("/var/log/nginx/gateway.log", join(directory, "gateway.log"));
  writeFileSync(join(directory, "gateway.conf"), text);
  for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) {
    mkdirSync(join(directory, name));
  }
  writeFileSync(
    join(directory, "nginx.conf"),
    `daemon off; master_process off; pid nginx.pid; error_log error.log;
    events { worker_connections 256; }
    http {
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi; access_log off;
      include ${join(directory, "gateway.conf")};
    }\n`,
  );
  const made = await runProgram([
    ..."openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(
      " ",
    ),
    ..."-subj /CN=localhost -keyout key.pem -out cert.pem".split(" "),
  ], { cwd: directory });
  assert.equal(made.exitCode, 0, made.stderr);
  return { tlsPort, plainPort };
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), "utf8");
  const marked = /^<!-- (runs|config|file: [\w.-]+) -->\n+```\w*\n(.*?)^```$/gms;
  return [...text.matchAll(marked)].map(([, mark = "", block = ""]) => ({ mark, text: block }));
}

/** Ports of the machine instead of those that the pages name; servers are told by the environment. */
async function withOwnPorts(
  text: string,
): Promise<{ text: string; tcpPort: number; httpPort: number }> {
  const tcpPort = await freePort();
  const httpPort = await freePort();
  return { text: text.replaceAll("8080", `${httpPort}`), tcpPort, httpPort };
}

/** Runs a script in a process group of its own, of which nothing is left afterwards. */
async function runPage(script: string, directory: string) {
  const httpPort = /(?:127\.0\.0\.1|localhost):(\d{2,5})\/health/.exec(script)?.[1] ?? "0";
  const child = Bun.spawn(["bash", "-eu", "-c", script], {
    cwd: directory,
    env: {
      ...cleanEnvironment(),
      FREEKILL_GW_TCP_PORT: `${await freePort()}`,
      FREEKILL_GW_HTTP_PORT: httpPort,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
  }, pageMsMax);
  // The servers that it starts write to files, so these end with the script.
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  clearTimeout(timer);
  killGroup(child.pid);
  return { exitCode: child.exitCode, timedOut, output: `${stdout}${stderr}` };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Nothing of it is left, which is what is wanted.
  }
}

function spawn(command: readonly string[], cwd: string) {
  return Bun.spawn([...command], {
    cwd,
    env: cleanEnvironment(),
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    timeout: pageMsMax,
  });
}

async function untilAnswers(url: string, tls: { rejectUnauthorized: boolean }): Promise<void> {
  for (;;) {
    try {
      if ((await fetch(url, { tls })).status === 200) return;
    } catch {
      // Not up yet: the test's own limit ends this.
    }
    await Bun.sleep(20);
  }
}

async function becomes(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(20);
}

/** Sends a message and gives the echo. */
function exchange(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      headers: { "X-Forwarded-For": "203.0.113.7" },
      tls: { rejectUnauthorized: false },
    };
    const socket = new WebSocket(url, options as unknown as string[]);
    socket.onopen = () => socket.send(JSON.stringify({ type: 0, messageId: "1", data: "hello" }));
    socket.onmessage = ({ data }) => {
      const text = String(data);
      if (!text.includes('"data"')) return;
      resolve(text);
      socket.close();
    };
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
  });
}
