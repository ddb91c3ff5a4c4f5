/** Timing and the table that a benchmark prints. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Measurement {
  /** Engine or floor. */
  name: string;
  /** Median; milliseconds or bytes, as the result's unit says. */
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
  /** What else is to be known of it. */
  remarks?: string[];
}

export interface Contestant {
  name: string;
  run: () => Promise<void>;
  /** Puts things back after a run; not timed. */
  restore?: () => Promise<void>;
  /** How often one run does the work; times are given for once. */
  repeats?: number;
}

/** A daemon runs for weeks: what counts is how it does once its code is compiled and its caches full. */
const warmUps = 10;
/** What one leaves to the kernel, such as a network namespace to take down, is not the next one's. */
const settleMs = 100;

/**
 * Times each contestant `runs` times, taking turns, so that a slow minute of the machine falls on
 * all of them alike. The first runs of each are warm-ups; the very first is shown on its own.
 */
export async function race(
  contestants: Contestant[],
  runs: number,
  unmeasured = warmUps,
): Promise<Measurement[]> {
  const first: number[] = [];
  const times = contestants.map((): number[] => []);
  for (let round = 0; round < unmeasured + runs; round++) {
    for (const [index, contestant] of contestants.entries()) {
      await sleep(settleMs);
      const begin = process.hrtime.bigint();
      await contestant.run();
      const elapsedMs = Number(process.hrtime.bigint() - begin) / 1e6;
      const onceMs = elapsedMs / (contestant.repeats ?? 1);
      if (round === 0) first[index] = onceMs;
      if (round >= unmeasured) times[index]?.push(onceMs);
      await contestant.restore?.();
    }
  }
  return contestants.map(({ name }, index) => ({
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

/** A goal such as "under 1/20 of dockerd": met when ours / theirs is at most `limit`. */
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

/** The smallest value that at least `share` (0 to 1) of them do not exceed (nearest rank). */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
