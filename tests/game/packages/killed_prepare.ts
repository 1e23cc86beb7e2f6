/** Prepares a package, given its data directory, name and address, and is killed before the first
 * file is written: all of the repository has come by then. */
import process from "node:process";
import { nodeFiles } from "../../../src/adapters/node/files.ts";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import { preparePackage } from "../../../src/game/packages/prepare_package.ts";

const [directory = "", name = "", url = ""] = process.argv.slice(2);
await preparePackage({
  files: nodeFiles(),
  git: nodeGitIo(),
  signal: new AbortController().signal,
  pause: () => Promise.resolve(),
  tell: ({ phase }) => {
    if (phase === "write") process.kill(process.pid, "SIGKILL");
  },
}, { directory, name, url });
