/**
 * The version that `M3_LUA_HELLO` acknowledges. An older host rewrote the `vN` inside the script on
 * each reload, and its smoke test expects a reload to show; here a reload of an unchanged script
 * counts a revision instead (`v1` → `v1.1` → `v1.2`), and a changed one starts at its own value.
 */
export class ScriptRevision {
  #revision = 0;

  /** A reload went well. */
  reloaded(changed: boolean): void {
    this.#revision = changed ? 0 : this.#revision + 1;
  }

  /** What to acknowledge for the script's own version. */
  show(version: string): string {
    return this.#revision === 0 ? version : `${version}.${this.#revision}`;
  }
}
