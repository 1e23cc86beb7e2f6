/** Longer words are not compared: the cost grows with the square, and nobody mistypes that much. */
const wordCharsMax = 64;

/** Shorter beginnings fit too many words. */
const beginningCharsMin = 3;

/**
 * The known word that somebody most likely meant, or undefined when none is near: at most one slip
 * (a letter wrong, missing, too many, or two swapped) for each three letters, or only the beginning
 * of it. Capitals, `-` and `_` make no difference. A word that is right comes back as it is.
 */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  const wanted = plain(word);
  if (wanted.length === 0 || wanted.length > wordCharsMax) return undefined;
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > wordCharsMax) continue;
    const full = plain(candidate);
    const isBeginning = wanted.length >= beginningCharsMin && full.startsWith(wanted);
    const slips = isBeginning && full !== wanted ? 1 : editDistance(wanted, full);
    if (slips < fewest) {
      best = candidate;
      fewest = slips;
    }
  }
  return best;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll("_", "-");
}

/** Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let slips = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 &&
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) slips = Math.min(slips, before[column - 2]! + 1);
      current.push(slips);
    }
    before = above;
    above = current;
  }
  return above[to.length]!;
}
