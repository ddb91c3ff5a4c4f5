/** Timing and the table that a benchmark prints. */

export interface Measurement {
  /** Engine or floor. */
  name: string;
  /** Median; milliseconds or bytes, as the result's unit says. */
  median: number;
  min: number;
  max: number;
  runs: number;
}

export interface Result {
  benchmark: string;
  what: string;
  unit: 'ms' | 'bytes';
  measurements: Measurement[];
  goals: { text: string; met: boolean; ratio: number }[];
}

export interface Contestant {
  name: string;
  run: () => Promise<void>;
  /** How often one run does the work; times are given for once. */
  repeats?: number;
}

/**
 * Times each contestant `runs` times, taking turns, so that a slow minute of the machine falls on
 * all of them alike. The first run of each is a warm-up and is not counted.
 */
export async function race(contestants: Contestant[], runs: number): Promise<Measurement[]> {
  const times = contestants.map((): number[] => []);
  for (let round = 0; round <= runs; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const begin = process.hrtime.bigint();
      await contestant.run();
      const elapsedMs = Number(process.hrtime.bigint() - begin) / 1e6;
      if (round > 0) times[index]?.push(elapsedMs / (contestant.repeats ?? 1));
    }
  }
  return contestants.map(({ name }, index) => summarise(name, times[index] ?? []));
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
    ({ name, median, min, max, runs }) =>
      `| ${name} | ${show(median)} | ${show(min)} | ${show(max)} | ${runs} | ${(median / ours).toFixed(2)} |`,
  );
  const goals = result.goals.map(
    ({ text, met, ratio }) => `- ${met ? 'met' : 'NOT met'}: ${text} (ratio ${ratio.toFixed(4)})`,
  );
  return [
    `## ${result.benchmark}: ${result.what}`,
    '',
    '| | median | min | max | runs | times ours |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...goals,
    '',
  ].join('\n');
}
