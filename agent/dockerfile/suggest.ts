/** "Did you mean": what was probably meant by a word that nobody knows. */

/** Words that differ by more changes than this are no slips. */
const maxDistance = 2;

/** ` (did you mean X?)`, or nothing. With `anyCase` the suggestion is written in the case of the word. */
export function didYouMean(word: string, options: Iterable<string>, anyCase = false): string {
  const match = closest(word, [...options], anyCase);
  return match === undefined ? '' : ` (did you mean ${match}?)`;
}

/** The option that fewest changes make of the word; undefined when none is near, or one is the word itself. */
export function closest(
  word: string,
  options: readonly string[],
  anyCase = false,
): string | undefined {
  const fold = (text: string) => (anyCase ? text.toLowerCase() : text);
  let best: string | undefined;
  let least = maxDistance + 1;
  for (const option of options) {
    const distance = distanceOf(fold(word), fold(option));
    if (distance === 0) return undefined;
    if (distance >= least) continue;
    least = distance;
    best = option;
  }
  if (best === undefined || !anyCase) return best;
  return word === word.toLowerCase() ? best.toLowerCase() : best.toUpperCase();
}

/** Levenshtein's distance. */
function distanceOf(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > maxDistance) return maxDistance + 1;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [above, char] of Array.from(from).entries()) {
    const next = [above + 1];
    for (let at = 0; at < to.length; at++)
      next.push(Math.min(row[at]! + (char === to[at] ? 0 : 1), row[at + 1]! + 1, next[at]! + 1));
    row = next;
  }
  return row.at(-1)!;
}
