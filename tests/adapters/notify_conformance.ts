import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, before, describe, it } from "node:test";
import { unixAddress } from "../../src/adapters/node/service_manager.ts";

/** A bound unix datagram socket. */
export interface Receiver {
  /** The next datagram that is already there; undefined when there is none. */
  receive(): string | undefined;
  close(): void;
}

/** What each `notifyServiceManager` must do. `bind` takes a sockaddr_un. */
export function notifyConformance(
  name: string,
  notify: (message: string) => void,
  bind: (address: Uint8Array) => Receiver,
): void {
  const skip = process.platform === "linux" ? false : "service managers of this kind are Linux's";

  describe(`notifyServiceManager of ${name}`, { skip }, () => {
    let directory = "";
    const outside = { socket: process.env["NOTIFY_SOCKET"], path: process.env["PATH"] };
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "notify-"));
    });
    afterEach(() => {
      restore("NOTIFY_SOCKET", outside.socket);
      restore("PATH", outside.path);
    });
    after(() => rm(directory, { recursive: true }));

    function bindTo(socket: string): Receiver {
      const address = unixAddress(socket);
      assert.ok(address);
      process.env["NOTIFY_SOCKET"] = socket;
      return bind(address);
    }

    it("sends one datagram to a socket in the file system", () => {
      const receiver = bindTo(join(directory, "notify.sock"));
      notify("READY=1\nSTATUS=läuft");
      notify("WATCHDOG=1");
      assert.equal(receiver.receive(), "READY=1\nSTATUS=läuft");
      assert.equal(receiver.receive(), "WATCHDOG=1");
      assert.equal(receiver.receive(), undefined);
      receiver.close();
    });

    it("sends to an abstract name", () => {
      const receiver = bindTo(`@freekill-gw-test-${process.pid}`);
      notify("STOPPING=1");
      assert.equal(receiver.receive(), "STOPPING=1");
      receiver.close();
    });

    it("does nothing without NOTIFY_SOCKET", () => {
      const receiver = bindTo(join(directory, "unused.sock"));
      for (const value of [undefined, ""]) {
        restore("NOTIFY_SOCKET", value);
        notify("READY=1");
      }
      assert.equal(receiver.receive(), undefined);
      receiver.close();
    });

    it("asks systemd-notify when the socket cannot be reached itself", async () => {
      const told = join(directory, "told");
      const program = join(directory, "systemd-notify");
      await writeFile(
        program,
        `#!/bin/sh\nprintf '%s|' "$@" > "${told}.part"\nmv "${told}.part" "${told}"\n`,
      );
      await chmod(program, 0o755);
      process.env["PATH"] = `${directory}:${outside.path}`;
      process.env["NOTIFY_SOCKET"] = "vsock:2:1234";
      notify("READY=1\nSTATUS=fine; $(exit)");
      assert.equal(await whenThere(told), "READY=1|STATUS=fine; $(exit)|");
    });

    it("stays silent when nobody can be told", () => {
      process.env["PATH"] = directory;
      const names = [
        join(directory, "absent.sock"),
        "@freekill-gw-nobody-listens",
        `/${"x".repeat(200)}`,
        "relative",
      ];
      for (const socket of names) {
        process.env["NOTIFY_SOCKET"] = socket;
        notify("READY=1");
      }
    });
  });
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

async function whenThere(path: string): Promise<string> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    try {
      return await readFile(path, "utf8");
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`${path} did not appear`);
}
