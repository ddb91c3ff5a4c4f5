/**
 * Which containers get the CPUs first while containers contend (docs/decisions/0018). A container that uses less than
 * its share would get that share anyway, but the scheduler makes it wait for each burst; a greater weight lets the
 * burst run at once and takes nothing from the others' shares. A fork bomb is throttled while others run.
 *
 * What each part buys, as the neighbour's p99 in `scripts/noisy` with that part left out: boost 1.8 -> 5.3 ms (all),
 * its shorter time slice 1.8 -> 2.3 ms (all), fork bombs 1.0 -> 2.5 ms (forks).
 */

/** `normal` is what the container's own limits say; `throttled` is a fork bomb's hundredth of a CPU. */
export type CpuPriority = 'boosted' | 'normal' | 'throttled';

/** One container in the last second. */
export interface CpuDemand {
  /** CPUs used: 1.5 is one and a half. */
  usedCpus: number;
  isForkBomb: boolean;
  /** It was told to stop, and needs CPU time for that. */
  isStopping: boolean;
  current: CpuPriority;
}

/** CPUs. A container that uses less does not count for the fair share. */
const leastUsedCpus = 0.01;

/** The priority of each container, in the order of `demands`. */
export function choosePriorities(
  demands: readonly CpuDemand[],
  isContended: boolean,
): CpuPriority[] {
  const users = demands.filter(({ usedCpus }) => usedCpus >= leastUsedCpus).length;
  // A share of what containers use together: programs of the host have the rest.
  const fair = demands.reduce((sum, { usedCpus }) => sum + usedCpus, 0) / Math.max(1, users);
  return demands.map(({ usedCpus, isForkBomb, isStopping, current }) => {
    if (isForkBomb) return isStopping || demands.length === 1 ? 'normal' : 'throttled';
    if (!isContended) return 'normal';
    // The gap between the two bounds keeps a container from changing every second.
    return usedCpus <= (current === 'boosted' ? fair : fair / 2) ? 'boosted' : 'normal';
  });
}
