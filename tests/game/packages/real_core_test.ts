import assert from "node:assert/strict";
import process from "node:process";
import { mkdir, symlink } from "node:fs/promises";
import { resolve } from "node:path";
import { it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeFiles } from "../../../src/adapters/node/files.ts";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import { hashPackages } from "../../../src/game/packages/package_md5.ts";
import { placesOf } from "../../../src/game/packages/package_places.ts";
import { preparePackage } from "../../../src/game/packages/prepare_package.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";

const core = process.env["FREEKILL_CORE_DIR"];
const skip = core ? false : "FREEKILL_CORE_DIR names no checkout of freekill-core at 88a912f";

const md5 = "1472a5d0de9b704a281027e348f8b6d7";

it(
  "hashPackages() of freekill-core at 88a912f alone is what its clients have",
  { skip },
  () =>
    inDirectory(async (directory) => {
      await mkdir(`${directory}/packages`);
      await symlink(resolve(core ?? ""), `${directory}/packages/freekill-core`);
      const parts = { files: nodeFiles(), crypto: nodeCrypto() };
      const found = await hashPackages(parts, { directory, disabled: new Set(), now: 0 });
      assert.deepEqual(found.files, { lua: 267, qml: 153, js: 2 });
      assert.equal(found.listBytes, 37_793);
      assert.equal(found.md5, md5);
      assert.deepEqual(found.troubles, []);
    }),
);

it(
  "preparePackage() makes a freekill-core of a repository or directory that has the same md5",
  { skip },
  () =>
    inDirectory(async (directory) => {
      const files = nodeFiles();
      const name = "freekill-core";
      const signal = new AbortController().signal;
      const parts = {
        files,
        git: nodeGitIo(),
        signal,
        tell: () => {},
        pause: () => Promise.resolve(),
      };
      await preparePackage(parts, { directory, name, url: resolve(core ?? "") });
      const { incoming, package: place } = placesOf(directory, name);
      await files.rename(incoming, place);
      const where = { directory, disabled: new Set<string>(), now: 0 };
      assert.equal((await hashPackages({ files, crypto: nodeCrypto() }, where)).md5, md5);
    }),
);
