/** Answers one kind of command: a JSON object in, one out. */
export type Command = (options: never) => unknown;

/**
 * Lets the benchmark lead this process while it keeps its connections: `POST /<name>` with a JSON
 * object as body. Prints `ready <control port>[ <more>]`.
 */
export function takeCommands(commands: Readonly<Record<string, Command>>, more = ""): void {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const name = new URL(request.url).pathname.slice(1);
      const command = commands[name];
      if (command === undefined) return new Response(`no command ${name}`, { status: 404 });
      return Response.json((await command(await request.json() as never)) ?? {});
    },
    error(error) {
      console.error(error);
      return new Response(error.message, { status: 500 });
    },
  });
  console.log(`ready ${server.port} ${more}`.trimEnd());
  setTimeout(() => process.exit(0), lifeMs);
}

/** Nothing may hold on for ever when the benchmark itself dies. */
const lifeMs = 300_000;
