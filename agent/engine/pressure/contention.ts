/** Whether containers keep each other waiting for the processors (docs/decisions/0018). */
import { processorWaitMicros } from '../../cgroup/stall.ts';
import { processorTimes } from '../../kernel/processor-times.ts';

/** One alone has no neighbour that it could keep waiting. */
const leastRunning = 2;
/** A container that waits because of its own quota waits on a machine that is idle. */
const leastBusy = 0.4;
const leastStall = 0.02;
/** Where the kernel does not tell who waits. */
const leastBusyAlone = 0.6;

/** What the machine's processors have done, at one moment. */
export interface Moment {
  atMs: number;
  busy: number;
  idle: number;
  /** How long somebody waited for one; absent: the kernel does not tell. */
  waitedMicros?: number | undefined;
}

/** Shares of the time between two moments. */
export interface Load {
  busy: number;
  /** In which somebody waited. */
  stall?: number | undefined;
}

export class Contention {
  readonly #now: () => Moment;
  #before: Moment | undefined;

  constructor(now = momentNow) {
    this.#now = now;
  }

  /** Since the look before; the first one, and the first after one with fewer than two, shows nothing yet. */
  look(running: number): boolean {
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
