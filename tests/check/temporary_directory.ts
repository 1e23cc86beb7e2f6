import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `use` with an empty directory that is removed afterwards. */
export async function withTemporaryDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "freekill-gw-check-test-"));
  try {
    await use(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
