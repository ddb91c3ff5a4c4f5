/** The last hour as columns: samples put together into steps of equal length. */
import type {
  HistoryColumn,
  HistoryDocument,
  PressureSample,
  StallResource,
  StallShares,
} from '../../contract/pressure.ts';
import type { MachineSample } from './machine-pressure.ts';

export interface Steps {
  fromMs: number;
  stepSeconds: number;
  count: number;
}

/** The steps that cover the last `seconds`, on whole multiples of a step so that they stay put. */
export function stepsUntil(nowMs: number, seconds: number, stepSeconds: number): Steps {
  const stepMs = stepSeconds * 1000;
  const untilMs = Math.floor(nowMs / stepMs) * stepMs + stepMs;
  const count = Math.ceil(seconds / stepSeconds);
  return { fromMs: untilMs - count * stepMs, stepSeconds, count };
}

type Columns = HistoryDocument['columns'];
type StallColumns = Record<StallResource, (number | null)[]>;

export function historyColumns(samples: Iterable<PressureSample>, steps: Steps): Columns {
  const groups = groupBySteps(samples, steps);
  const column = (of: (group: PressureSample[], seconds: number) => number | null) =>
    groups.map((group) => (group === undefined ? null : of(group, secondsOf(group))));
  const perSecond = (key: keyof PressureSample['io']) =>
    column((group, seconds) => rounded(sum(group, ({ io }) => io[key]) / seconds, 1));
  const columns: Record<HistoryColumn, (number | null)[]> = {
    observedSeconds: column((_, seconds) => rounded(seconds, 1000)),
    cpus: column((group, seconds) =>
      rounded(sum(group, ({ cpu }) => cpu.usedMicros) / seconds / 1e6, 1000),
    ),
    cpusPeak: column((group) => rounded(highest(group, cpusOf), 1000)),
    throttledShare: column((group) => {
      const periods = sum(group, ({ cpu }) => cpu.periods);
      const throttled = sum(group, ({ cpu }) => cpu.throttledPeriods);
      return periods === 0 ? 0 : rounded(throttled / periods, 1000);
    }),
    memoryBytes: column((group) => highest(group, ({ memory }) => memory.usedBytes)),
    swapBytes: column((group) => highest(group, ({ memory }) => memory.swapBytes)),
    memoryLimitBytes: column((group) => group.at(-1)?.memory.limitBytes ?? null),
    memoryLimitHits: column((group) => sum(group, ({ memory }) => memory.limitHits)),
    pids: column((group) => highest(group, ({ pids }) => pids.current)),
    pidsLimit: column((group) => group.at(-1)?.pids.limit ?? null),
    pidsRefusals: column((group) => sum(group, ({ pids }) => pids.refusals)),
    readBytesPerSecond: perSecond('readBytes'),
    writtenBytesPerSecond: perSecond('writtenBytes'),
    readOperationsPerSecond: perSecond('readOperations'),
    writeOperationsPerSecond: perSecond('writeOperations'),
    oomKills: column((group) => sum(group, ({ oomKills }) => oomKills)),
    diskFullSeconds: column((group) =>
      rounded(sum(group, ({ diskFull, intervalMs }) => (diskFull ? intervalMs : 0)) / 1000, 1000),
    ),
  };
  return columns;
}

/** Null where there is nothing of the kind in the whole time. */
export function stallColumns(
  samples: Iterable<PressureSample | MachineSample>,
  steps: Steps,
): StallColumns | null {
  const groups = groupBySteps(samples, steps);
  if (!groups.some((group) => group?.some(({ stall }) => stall !== null))) return null;
  const column = (resource: StallResource) =>
    groups.map((group) => {
      const known = (group ?? []).filter(hasStall);
      if (known.length === 0) return null;
      const waited = sum(known, ({ stall, intervalMs }) => stall[resource].some * intervalMs);
      return rounded(waited / secondsOf(known) / 1000, 1000);
    });
  return { cpu: column('cpu'), memory: column('memory'), io: column('io') };
}

/** CPUs kept busy. */
export function cpusOf({ cpu, intervalMs }: PressureSample): number {
  return cpu.usedMicros / 1000 / Math.max(1, intervalMs);
}

const hasStall = <T extends { stall: StallShares | null }>(
  one: T,
): one is T & { stall: StallShares } => one.stall !== null;

/** A sample belongs to the step in which its interval ends. */
function groupBySteps<T extends { atMs: number }>(
  samples: Iterable<T>,
  { fromMs, stepSeconds, count }: Steps,
): (T[] | undefined)[] {
  const groups: (T[] | undefined)[] = new Array(count).fill(undefined);
  for (const sample of samples) {
    const index = Math.floor((sample.atMs - fromMs) / (stepSeconds * 1000));
    if (index < 0 || index >= count) continue;
    const group = groups[index];
    if (group === undefined) groups[index] = [sample];
    else group.push(sample);
  }
  return groups;
}

function secondsOf(group: readonly { intervalMs: number }[]): number {
  return Math.max(0.001, sum(group, ({ intervalMs }) => intervalMs) / 1000);
}

function sum<T>(group: readonly T[], of: (one: T) => number): number {
  return group.reduce((total, one) => total + of(one), 0);
}

function highest<T>(group: readonly T[], of: (one: T) => number): number {
  return group.reduce((most, one) => Math.max(most, of(one)), 0);
}

function rounded(value: number, scale: number): number {
  return Math.round(value * scale) / scale;
}
