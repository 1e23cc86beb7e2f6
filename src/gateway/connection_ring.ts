/** What knows its own place in a ring. */
export interface RingMember {
  /** −1: in none. */
  ringPlace: number;
}

/**
 * The open connections, in the order in which rounds visit them. Entering, leaving and visiting take
 * the same time however many there are; a round passes over nobody who leaves or stays.
 */
export class ConnectionRing<T extends RingMember> {
  readonly #members: T[] = [];
  /** Those before it were visited in this round. */
  #visited = 0;

  get size(): number {
    return this.#members.length;
  }

  all(): Iterable<T> {
    return this.#members;
  }

  add(member: T): void {
    member.ringPlace = this.#members.length;
    this.#members.push(member);
  }

  remove(member: T): void {
    const members = this.#members;
    let hole = member.ringPlace;
    if (hole < 0) return;
    member.ringPlace = -1;
    // The last one may not come to stand among those that were visited.
    if (hole < this.#visited) {
      this.#visited--;
      this.#put(members[this.#visited] as T, hole, member);
      hole = this.#visited;
    }
    const last = members.pop() as T;
    if (hole < members.length) this.#put(last, hole, member);
  }

  /** The next one of the round, which begins anew behind the last one; undefined in an empty ring. */
  next(): T | undefined {
    if (this.#visited >= this.#members.length) this.#visited = 0;
    const member = this.#members[this.#visited];
    if (member !== undefined) this.#visited++;
    return member;
  }

  #put(moved: T, place: number, leaving: T): void {
    this.#members[place] = moved;
    if (moved !== leaving) moved.ringPlace = place;
  }
}
