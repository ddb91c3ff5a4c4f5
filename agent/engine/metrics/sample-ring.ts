/**
 * An hour of samples in one block of memory: rows of 32-bit words, the oldest overwritten. The kernel
 * hands out the block's pages as rows reach them, so that a young container costs little.
 */
import type { PressureSample, PressureSums, StallShare } from '../../contract/pressure.ts';

export const hourSeconds = 3600;
const hourMs = hourSeconds * 1000;

/** Words of a row: what is 16 bits wide shares one. */
const word = {
  atSeconds: 0,
  intervalAndOomKills: 1,
  cpuMicros: 2,
  throttledMicros: 3,
  periods: 4,
  memoryKib: 5,
  swapKib: 6,
  memoryLimitKib: 7,
  pidsAndDiskFull: 8,
  pidsLimit: 9,
  readKib: 10,
  writtenKib: 11,
  readOperations: 12,
  writeOperations: 13,
  refusalsAndHits: 14,
  stall: 15,
} as const;
const plainWords = 15;
const wordsWithStall = 18;
const noLimit = 0xffff_ffff;
/** Numbers of processes have 22 bits. */
const diskFullBit = 0x8000_0000;
/** Shares are kept in ten-thousandths. */
const stallScale = 10_000;

export const nothingSeen: Readonly<PressureSums> = {
  observedSeconds: 0,
  throttledSeconds: 0,
  periods: 0,
  throttledPeriods: 0,
  memoryLimitHits: 0,
  pidsRefusals: 0,
  oomKills: 0,
  diskFullSeconds: 0,
};

export class SampleRing {
  readonly #rows: Uint32Array;
  readonly #width: number;
  readonly #capacity: number;
  #first = 0;
  #length = 0;
  readonly #sums: PressureSums = { ...nothingSeen };

  constructor(options: { stall: boolean; capacity?: number }) {
    this.#capacity = options.capacity ?? hourSeconds;
    this.#width = options.stall ? wordsWithStall : plainWords;
    this.#rows = new Uint32Array(this.#capacity * this.#width);
  }

  /** What all of an hour takes. */
  get byteLength(): number {
    return this.#rows.byteLength;
  }

  get length(): number {
    return this.#length;
  }

  push(sample: PressureSample): void {
    if (this.#length === this.#capacity) this.#dropOldest();
    const row = this.#rowOf(this.#length);
    this.#length++;
    this.#encode(row, sample);
    this.#addToSums(this.#decode(row), 1);
  }

  /** Forgets what is more than an hour old. */
  expire(nowMs: number): void {
    while (this.#length > 0 && this.at(0).atMs <= nowMs - hourMs) this.#dropOldest();
  }

  /** 0 is the oldest. Memory and bytes are kept to the KiB, times to the second. */
  at(index: number): PressureSample {
    return this.#decode(this.#rowOf(index));
  }

  latest(): PressureSample | undefined {
    return this.#length === 0 ? undefined : this.at(this.#length - 1);
  }

  sums(): PressureSums {
    const { observedSeconds, throttledSeconds, diskFullSeconds, ...counts } = this.#sums;
    return {
      ...counts,
      // Sums of fractions drift by their last digits.
      observedSeconds: Math.round(observedSeconds * 1000) / 1000,
      throttledSeconds: Math.round(throttledSeconds * 1000) / 1000,
      diskFullSeconds: Math.round(diskFullSeconds * 1000) / 1000,
    };
  }

  #dropOldest(): void {
    this.#addToSums(this.at(0), -1);
    this.#first = (this.#first + 1) % this.#capacity;
    this.#length--;
  }

  #rowOf(index: number): number {
    return ((this.#first + index) % this.#capacity) * this.#width;
  }

  #addToSums(sample: PressureSample, sign: 1 | -1): void {
    const { intervalMs, cpu, memory, pids, oomKills, diskFull } = sample;
    const sums = this.#sums;
    sums.observedSeconds += (sign * intervalMs) / 1000;
    sums.throttledSeconds += (sign * cpu.throttledMicros) / 1e6;
    sums.periods += sign * cpu.periods;
    sums.throttledPeriods += sign * cpu.throttledPeriods;
    sums.memoryLimitHits += sign * memory.limitHits;
    sums.pidsRefusals += sign * pids.refusals;
    sums.oomKills += sign * oomKills;
    if (diskFull) sums.diskFullSeconds += (sign * intervalMs) / 1000;
  }

  #encode(row: number, { atMs, intervalMs, cpu, memory, pids, io, ...rest }: PressureSample): void {
    const set = (at: number, value: number) => {
      this.#rows[row + at] = Math.min(noLimit - 1, Math.max(0, Math.round(value)));
    };
    const limit = (at: number, value: number | null) => {
      if (value === null) this.#rows[row + at] = noLimit;
      else set(at, value);
    };
    set(word.atSeconds, Math.floor(atMs / 1000));
    set(word.intervalAndOomKills, pair(intervalMs, rest.oomKills));
    set(word.cpuMicros, cpu.usedMicros);
    set(word.throttledMicros, cpu.throttledMicros);
    set(word.periods, pair(cpu.periods, cpu.throttledPeriods));
    set(word.memoryKib, memory.usedBytes / 1024);
    set(word.swapKib, memory.swapBytes / 1024);
    limit(word.memoryLimitKib, memory.limitBytes === null ? null : memory.limitBytes / 1024);
    set(word.pidsAndDiskFull, pids.current + (rest.diskFull ? diskFullBit : 0));
    limit(word.pidsLimit, pids.limit);
    set(word.readKib, io.readBytes / 1024);
    set(word.writtenKib, io.writtenBytes / 1024);
    set(word.readOperations, io.readOperations);
    set(word.writeOperations, io.writeOperations);
    set(word.refusalsAndHits, pair(pids.refusals, memory.limitHits));
    if (this.#width === plainWords) return;
    const { stall } = rest;
    [stall?.cpu, stall?.memory, stall?.io].forEach((share, index) => {
      const { some, full } = share ?? { some: 0, full: 0 };
      set(word.stall + index, pair(some * stallScale, full * stallScale));
    });
  }

  #decode(row: number): PressureSample {
    const get = (at: number) => this.#rows[row + at] ?? 0;
    const low = (at: number) => get(at) & 0xffff;
    const high = (at: number) => get(at) >>> 16;
    const limit = (at: number, unit: number) => (get(at) === noLimit ? null : get(at) * unit);
    const share = (at: number): StallShare => ({
      some: low(at) / stallScale,
      full: high(at) / stallScale,
    });
    return {
      atMs: get(word.atSeconds) * 1000,
      intervalMs: low(word.intervalAndOomKills),
      cpu: {
        usedMicros: get(word.cpuMicros),
        throttledMicros: get(word.throttledMicros),
        periods: low(word.periods),
        throttledPeriods: high(word.periods),
      },
      memory: {
        usedBytes: get(word.memoryKib) * 1024,
        swapBytes: get(word.swapKib) * 1024,
        limitBytes: limit(word.memoryLimitKib, 1024),
        limitHits: high(word.refusalsAndHits),
      },
      pids: {
        current: get(word.pidsAndDiskFull) % diskFullBit,
        limit: limit(word.pidsLimit, 1),
        refusals: low(word.refusalsAndHits),
      },
      io: {
        readBytes: get(word.readKib) * 1024,
        writtenBytes: get(word.writtenKib) * 1024,
        readOperations: get(word.readOperations),
        writeOperations: get(word.writeOperations),
      },
      oomKills: high(word.intervalAndOomKills),
      diskFull: get(word.pidsAndDiskFull) >= diskFullBit,
      stall:
        this.#width === plainWords
          ? null
          : {
              cpu: share(word.stall),
              memory: share(word.stall + 1),
              io: share(word.stall + 2),
            },
    };
  }
}

/** Two numbers in one word; each stops at 65535. */
function pair(low: number, high: number): number {
  return clamp(low) + clamp(high) * 0x1_0000;
}

function clamp(value: number): number {
  return Math.min(0xffff, Math.max(0, Math.round(value)));
}
