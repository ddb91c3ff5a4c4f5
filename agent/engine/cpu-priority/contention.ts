/**
 * Whether containers compete for the CPUs: from proc_stat(5) and, where the kernel has pressure stall information,
 * /proc/pressure/cpu (docs/decisions/0018).
 */
import { processorWaitMicros } from '../../cgroup/psi.ts';
import { processorTimes } from '../../kernel/processor-times.ts';

const leastRunning = 2;
/** Busy share of the CPUs. A container throttled by its own quota stalls on an idle machine, which is no contention. */
const leastBusy = 0.4;
/** Share of the time in which some task waited for a CPU. */
const leastStall = 0.02;
/** Busy share without pressure stall information. */
const leastBusyAlone = 0.6;

/** Counters of the CPUs at one moment; `busy` and `idle` in ticks of proc_stat(5). */
export interface Moment {
  atMs: number;
  busy: number;
  idle: number;
  /** Total time in which some task waited for a CPU. Absent without pressure stall information. */
  waitedMicros?: number | undefined;
}

/** Shares (0 to 1) of the time between two moments. */
export interface Load {
  busy: number;
  stall?: number | undefined;
}

export class Contention {
  readonly #now: () => Moment;
  #before: Moment | undefined;

  constructor(now = momentNow) {
    this.#now = now;
  }

  /**
   * Whether containers contended since the last call. `running` is how many run now. The first call, and the first
   * after fewer than two ran, has nothing to compare with and returns false.
   */
  check(running: number): boolean {
    const before = this.#before;
    this.#before = running < leastRunning ? undefined : this.#now();
    if (before === undefined || this.#before === undefined) return false;
    return isContended(loadBetween(before, this.#before));
  }
}

export function isContended({ busy, stall }: Load): boolean {
  return stall === undefined ? busy >= leastBusyAlone : busy >= leastBusy && stall >= leastStall;
}

function momentNow(): Moment {
  return { atMs: performance.now(), ...processorTimes(), waitedMicros: processorWaitMicros() };
}

function loadBetween(before: Moment, now: Moment): Load {
  const [busy, idle] = [now.busy - before.busy, now.idle - before.idle];
  const waitedMicros = (now.waitedMicros ?? Number.NaN) - (before.waitedMicros ?? Number.NaN);
  return {
    busy: busy + idle <= 0 ? 0 : busy / (busy + idle),
    stall: Number.isNaN(waitedMicros) ? undefined : waitedMicros / 1000 / (now.atMs - before.atMs),
  };
}
