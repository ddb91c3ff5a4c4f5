/** The whole machine's pressure, while any container runs: all there is where groups have none. */
import { machinePsiFiles, readPsi } from '../../cgroup/psi.ts';
import type { Stall } from '../../contract/limits.ts';
import type { StallShares } from '../../contract/pressure.ts';
import { stallDifference } from './difference.ts';
import { hourSeconds } from './sample-ring.ts';

export interface MachineSample {
  atMs: number;
  intervalMs: number;
  stall: StallShares;
}

const words = 5;
const scale = 10_000;
const longestIntervalMs = 60_000;

export class MachinePressure {
  latest: MachineSample | undefined;
  readonly #directory: string;
  #before: { atMs: number; stall: Stall } | undefined;
  /** Rows of second, interval, and a word a resource: some and full, in ten-thousandths. */
  #rows: Uint32Array | undefined;
  #next = 0;

  constructor(directory = '/proc/pressure') {
    this.#directory = directory;
  }

  sample(nowMs: number): void {
    const stall = readPsi(this.#directory, machinePsiFiles);
    const before = this.#before;
    this.#before = stall && { atMs: nowMs, stall };
    if (stall === undefined || before === undefined) return;
    const intervalMs = nowMs - before.atMs;
    // After a rest there is nothing to tell of the time between.
    if (intervalMs <= 0 || intervalMs > longestIntervalMs) return;
    const shares = stallDifference(before.stall, stall, intervalMs);
    if (shares === null) return;
    this.latest = { atMs: nowMs, intervalMs, stall: shares };
    this.#keep(this.latest);
  }

  /** Nothing runs: the samples stay for who asks, the next one begins anew. */
  rest(): void {
    this.#before = undefined;
    this.latest = undefined;
  }

  /** Oldest first, from the last hour. */
  *since(fromMs: number): Generator<MachineSample> {
    const rows = this.#rows;
    if (rows === undefined) return;
    const pair = (at: number) => {
      const value = rows[at] ?? 0;
      return { some: (value & 0xffff) / scale, full: (value >>> 16) / scale };
    };
    for (let index = 0; index < hourSeconds; index++) {
      const row = ((this.#next + index) % hourSeconds) * words;
      const atMs = (rows[row] ?? 0) * 1000;
      if (atMs < fromMs) continue;
      const stall = { cpu: pair(row + 2), memory: pair(row + 3), io: pair(row + 4) };
      yield { atMs, intervalMs: rows[row + 1] ?? 0, stall };
    }
  }

  #keep({ atMs, intervalMs, stall }: MachineSample): void {
    this.#rows ??= new Uint32Array(hourSeconds * words);
    const pair = ({ some, full }: StallShares['cpu']) =>
      Math.round(some * scale) + Math.round(full * scale) * 0x1_0000;
    this.#rows.set(
      [Math.floor(atMs / 1000), intervalMs, pair(stall.cpu), pair(stall.memory), pair(stall.io)],
      this.#next * words,
    );
    this.#next = (this.#next + 1) % hourSeconds;
  }
}
