/** Seconds in a container's life, made up where a test says so and quiet otherwise. */
import type { PressureSample } from '../../../contract/pressure.ts';

type Change = { [Key in keyof PressureSample]?: Partial<PressureSample[Key]> };

const quiet: PressureSample = {
  atMs: 0,
  intervalMs: 1000,
  cpu: { usedMicros: 0, throttledMicros: 0, periods: 0, throttledPeriods: 0 },
  memory: { usedBytes: 0, swapBytes: 0, limitBytes: null, limitHits: 0 },
  pids: { current: 1, limit: null, refusals: 0 },
  io: { readBytes: 0, writtenBytes: 0, readOperations: 0, writeOperations: 0 },
  oomKills: 0,
  diskFull: false,
  stall: null,
};

export function sample(atSeconds: number, change: Change = {}): PressureSample {
  return {
    ...quiet,
    ...change,
    atMs: atSeconds * 1000,
    cpu: { ...quiet.cpu, ...change.cpu },
    memory: { ...quiet.memory, ...change.memory },
    pids: { ...quiet.pids, ...change.pids },
    io: { ...quiet.io, ...change.io },
  } as PressureSample;
}
