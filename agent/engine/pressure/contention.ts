/** Whether containers keep each other waiting for the processors, second by second (docs/decisions/0018). */
import { type ProcessorTimes, processorTimes } from '../../kernel/processor-times.ts';

/** One alone has no neighbour that it could keep waiting. */
const leastRunning = 2;
/** A container that waits because of its own quota waits on a machine that is idle. */
const leastBusy = 0.4;
const leastStall = 0.02;
/** Where the kernel does not tell who waits. */
const leastBusyAlone = 0.6;

/** One second of the machine. */
export interface Look {
  /** How many containers run. */
  running: number;
  /** The share of the time in which somebody waited for a processor; absent: not known. */
  cpuStall?: number | undefined;
}

export class Contention {
  readonly #times: () => ProcessorTimes;
  #before: ProcessorTimes | undefined;

  constructor(times = processorTimes) {
    this.#times = times;
  }

  /** Called once a second; the first look, and the first after one with fewer than two, shows nothing yet. */
  look(look: Look): boolean {
    if (look.running < leastRunning) {
      this.#before = undefined;
      return false;
    }
    const [before, now] = [this.#before, this.#times()];
    this.#before = now;
    return before !== undefined && isContended(look, busyShare(before, now));
  }
}

export function isContended({ running, cpuStall }: Look, busy: number): boolean {
  if (running < leastRunning) return false;
  return cpuStall === undefined
    ? busy >= leastBusyAlone
    : busy >= leastBusy && cpuStall >= leastStall;
}

function busyShare(before: ProcessorTimes, now: ProcessorTimes): number {
  const [busy, idle] = [now.busy - before.busy, now.idle - before.idle];
  return busy + idle <= 0 ? 0 : busy / (busy + idle);
}
