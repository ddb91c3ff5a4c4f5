/**
 * Who comes before whom on the processors while containers contend (docs/decisions/0018). Whoever uses less than its
 * share of them would have it anyway, but waits at each turn until the scheduler owes it as much; with a greater weight it
 * is owed that at once, and takes nothing from the others that is theirs. A fork bomb has what all others leave, and
 * while others run little of that: each process that it is refused costs the kernel nearly a whole fork.
 */

export type Precedence = 'ahead' | 'own' | 'behind' | 'held';

/** Of one container, in the last second. */
export interface Turn {
  /** Of one processor: 1.5 is one and a half. */
  used: number;
  isBomb: boolean;
  /** It has been told to end. */
  isEnding: boolean;
  /** What it had until now. */
  before: Precedence;
}

/** Who uses less wants none: shares are those of the others. */
const leastUsed = 0.01;

/** In the order of `turns`. */
export function precedences(turns: readonly Turn[], isContended: boolean): Precedence[] {
  const wanting = turns.filter(({ used }) => used >= leastUsed).length;
  // Of what all of them get: the machine's other programs have the rest.
  const fair = turns.reduce((sum, { used }) => sum + used, 0) / Math.max(1, wanting);
  return turns.map(({ used, isBomb, isEnding, before }) => {
    // One that is being ended asks for nothing any more, and needs processors for that.
    if (isBomb) return !isEnding && turns.length > 1 ? 'held' : 'behind';
    if (!isContended) return 'own';
    // From half its share up to all of it, it stays what it was.
    return used <= (before === 'ahead' ? fair : fair / 2) ? 'ahead' : 'own';
  });
}
