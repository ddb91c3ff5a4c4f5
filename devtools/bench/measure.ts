/** Timing of benchmarks and the table that they print. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Measurement {
  /** An engine, or a lower bound such as util-linux's unshare. */
  name: string;
  /** In milliseconds or bytes, by the result's `unit`, as `min` and `max` are. */
  median: number;
  min: number;
  max: number;
  runs: number;
  /** The very first run, before anything is warm. */
  first?: number | undefined;
}

export interface Result {
  benchmark: string;
  what: string;
  unit: 'ms' | 'bytes';
  measurements: Measurement[];
  goals: { text: string; met: boolean; ratio: number }[];
  /** Notes below the table. */
  remarks?: string[];
}

export interface BenchmarkCase {
  name: string;
  run: () => Promise<void>;
  /** Restores the state from before the run; not timed. */
  restore?: () => Promise<void>;
  /** How often one `run` does the work; the reported time is that of one repeat. */
  repeats?: number;
}

/** A daemon runs for weeks, so it is measured once its code is compiled and its caches are full. */
const warmUps = 10;
/** The kernel's deferred work of one run, such as taking down a network namespace, must not slow the next one. */
const settleMs = 100;

/**
 * Times each case `runs` times. The cases take turns, so that a slow minute of the machine affects all of them
 * alike. The first `unmeasured` runs of each are warm-ups, of which the very first is reported as `first`.
 */
export async function measureInTurns(
  cases: BenchmarkCase[],
  runs: number,
  unmeasured = warmUps,
): Promise<Measurement[]> {
  const first: number[] = [];
  const times = cases.map((): number[] => []);
  for (let round = 0; round < unmeasured + runs; round++) {
    for (const [index, each] of cases.entries()) {
      await sleep(settleMs);
      const begin = process.hrtime.bigint();
      await each.run();
      const elapsedMs = Number(process.hrtime.bigint() - begin) / 1e6;
      const onceMs = elapsedMs / (each.repeats ?? 1);
      if (round === 0) first[index] = onceMs;
      if (round >= unmeasured) times[index]?.push(onceMs);
      await each.restore?.();
    }
  }
  return cases.map(({ name }, index) => ({
    ...summarise(name, times[index] ?? []),
    first: first[index],
  }));
}

export function summarise(name: string, values: number[]): Measurement {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    name,
    median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    runs: sorted.length,
  };
}

/** A goal such as "under 1/20 of dockerd": met when our median divided by the peer's is at most `limit`. */
export function goal(
  measurements: Measurement[],
  peer: string,
  limit: number,
  text: string,
): Result['goals'] {
  const ours = measurements.find(({ name }) => name === 'corten');
  const theirs = measurements.find(({ name }) => name === peer);
  if (ours === undefined || theirs === undefined) return [];
  const ratio = ours.median / theirs.median;
  return [{ text, met: ratio <= limit, ratio }];
}

export function table(result: Result): string {
  const ours = result.measurements.find(({ name }) => name === 'corten')?.median ?? Number.NaN;
  const show = (value: number) =>
    result.unit === 'ms' ? `${value.toFixed(2)} ms` : `${(value / 1_048_576).toFixed(2)} MiB`;
  const rows = result.measurements.map(
    ({ name, median, min, max, runs, first }) =>
      `| ${name} | ${show(median)} | ${show(min)} | ${show(max)} | ${first === undefined ? '' : show(first)} | ${runs} | ${(median / ours).toFixed(2)} |`,
  );
  const goals = result.goals.map(
    ({ text, met, ratio }) => `- ${met ? 'met' : 'NOT met'}: ${text} (ratio ${ratio.toFixed(4)})`,
  );
  return [
    `## ${result.benchmark}: ${result.what}`,
    '',
    '| | median | min | max | very first | runs | times ours |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...goals,
    ...(result.remarks ?? []).map((remark) => `- ${remark}`),
    '',
  ].join('\n');
}

/** The percentile for `share` (0 to 1) by the nearest-rank method. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
