import { parseAdminCommand } from "../admin/parse_command.ts";
import { commandHelps } from "../admin/help_texts.ts";
import { visibleText } from "../base/terminal_text.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type AdminAnswer, done } from "./admin_answer.ts";
import { askAdmin } from "./admin_client.ts";
import { readDoor } from "./admin_files.ts";
import { helpLines } from "./admin_tables.ts";
import type { Invocation } from "./invocation.ts";

/**
 * `admin "<command line>"`: orders something of the server that runs in the working directory. The
 * exit code: 0 done, 1 refused or failed, 2 a wrong command line, 3 no server that could be asked.
 */
export async function adminVerb(runtime: Runtime, invocation: Invocation): Promise<number> {
  const { process, files, tcp, clock } = runtime;
  const no = (code: 2 | 3, reason: string) => {
    process.writeStderr(`${visibleText(reason)}\n`);
    return code;
  };
  const line = (invocation.words ?? []).join(" ");
  if (line.trim() === "") {
    return no(2, 'admin needs a command, such as "lsplayer". See freekill-gw admin help.');
  }
  // Here already, so that a slip of the fingers needs no server to be told.
  const parsed = parseAdminCommand(line);
  if (!parsed.ok) return no(2, parsed.reason);
  const isJson = invocation.flags.json === true;
  if (parsed.command.kind === "help") {
    const { topic } = parsed.command;
    const helps = commandHelps.filter(({ name }) => topic === undefined || name === topic);
    return print(runtime, done(helpLines(helps), helps), isJson);
  }
  const door = await readDoor(files, process.cwd);
  if (typeof door === "string") return no(3, door);
  const { url } = door;
  if (url === null) {
    return no(
      3,
      `The server of this directory (process ${door.pid}) takes no commands: its http_port is 0; set http_port and start it again`,
    );
  }
  const reply = await askAdmin({ tcp, clock }, { ...door, url }, line);
  if (reply.kind === "no_server") return no(3, reply.reason);
  return print(runtime, reply.answer, isJson);
}

function print({ process }: Runtime, answer: AdminAnswer, isJson: boolean): number {
  const { ok, lines, data } = answer;
  const texts = isJson ? [JSON.stringify({ ok, lines, data })] : lines;
  // Whoever answered: what a terminal would act upon stays on the outside.
  const shown = texts.map((text) => `${visibleText(text)}\n`).join("");
  if (ok || isJson) process.writeStdout(shown);
  else process.writeStderr(shown);
  return ok ? 0 : 1;
}
