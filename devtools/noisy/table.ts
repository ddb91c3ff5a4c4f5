/** What is printed: a row for each noise and engine, and the goals. */
import { percentile } from '../bench/measure.ts';
import { type Headroom, leastOf } from './confinement.ts';
import type { Reading } from './meter.ts';

/** The goal: with noise the p99 is at most this many times the quiet one. */
export const goalRatio = 2;
/** The goal: at least this share of each resource of the confinement stays free. */
const floorShare = 0.1;

export interface Row {
  noise: string;
  engine: string;
  quiet: Reading;
  loud: Reading;
  least: Headroom;
  /** The resource of the host that ran short, which ended the noise early. `undefined`: none did. */
  stoppedFor: string | undefined;
  /**
   * Seconds from the removal of the noise until both p99 met the goal again. `undefined`: they did not
   * within 20 s.
   */
  recoveredS: number | undefined;
  /** Control groups and resources that the removal did not give back, in words. */
  leftovers: string[];
}

export function ratio(quiet: number[], loud: number[], share: number): number {
  return percentile(loud, share) / percentile(quiet, share);
}

export function floorsBroken(least: Headroom): string[] {
  return Object.entries(least)
    .filter(([, share]) => share < floorShare)
    .map(([name, share]) => `${name} ${Math.max(0, Math.round(share * 100))} %`);
}

/** The quiet seconds before all noises of an engine, since the few before one noise have no steady p99. */
function baselineOf(rows: Row[], engine: string): Reading {
  return mergeReadings(rows.filter((row) => row.engine === engine).map(({ quiet }) => quiet));
}

/**
 * One row for each noise and engine, with the requests of all rounds, since the p99 of a single round is decided by its
 * few slowest requests.
 */
export function mergeRounds(rows: Row[]): Row[] {
  const groups = Object.groupBy(rows, ({ noise, engine }) => `${noise} ${engine}`);
  return Object.values(groups).flatMap((rounds = []) => {
    const [first] = rounds;
    if (first === undefined) return [];
    const recovered = rounds.map(({ recoveredS }) => recoveredS ?? Infinity);
    return {
      ...first,
      quiet: mergeReadings(rounds.map(({ quiet }) => quiet)),
      loud: mergeReadings(rounds.map(({ loud }) => loud)),
      least: leastOf(rounds.map(({ least }) => least)),
      stoppedFor: rounds.find(({ stoppedFor }) => stoppedFor !== undefined)?.stoppedFor,
      recoveredS: recovered.includes(Infinity) ? undefined : Math.max(...recovered),
      leftovers: [...new Set(rounds.flatMap(({ leftovers }) => leftovers))],
    };
  });
}

function mergeReadings(readings: Reading[]): Reading {
  return {
    neighbourMs: readings.flatMap(({ neighbourMs }) => neighbourMs),
    apiMs: readings.flatMap(({ apiMs }) => apiMs),
    neighbourFailures: readings.reduce((sum, { neighbourFailures }) => sum + neighbourFailures, 0),
    apiFailures: readings.reduce((sum, { apiFailures }) => sum + apiFailures, 0),
  };
}

/** In Markdown. Takes what {@link mergeRounds} returns. */
export function table(rows: Row[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const quiet = Object.fromEntries(engines.map((engine) => [engine, baselineOf(rows, engine)]));
  return [
    '| noise | engine | neighbour p50, p99 | times quiet | API p50, p99 | times quiet | floors | recovered |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...engines.map(
      (engine) =>
        `| none | ${engine} | ${times(quiet[engine]?.neighbourMs ?? [], 0)} | | ${times(quiet[engine]?.apiMs ?? [], 0)} | | | |`,
    ),
    ...rows.map((row) =>
      [
        '',
        row.noise,
        row.engine,
        times(row.loud.neighbourMs, row.loud.neighbourFailures),
        verdict(ratio(quiet[row.engine]?.neighbourMs ?? [], row.loud.neighbourMs, 0.99)),
        times(row.loud.apiMs, row.loud.apiFailures),
        verdict(ratio(quiet[row.engine]?.apiMs ?? [], row.loud.apiMs, 0.99)),
        floors(row),
        recovery(row),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
  ].join('\n');
}

function times(values: number[], failures: number): string {
  const [p50, p99] = [percentile(values, 0.5), percentile(values, 0.99)];
  const failed = failures === 0 ? '' : `, ${failures} of ${values.length} failed`;
  return `${p50.toFixed(1)}, ${p99.toFixed(1)} ms${failed}`;
}

function verdict(of: number): string {
  return of <= goalRatio ? of.toFixed(1) : `**${of.toFixed(1)}**`;
}

function floors({ least, stoppedFor }: Row): string {
  const broken = floorsBroken(least);
  const stopped = stoppedFor === undefined ? [] : [`stopped: ${stoppedFor}`];
  return [...broken, ...stopped].join(', ') || 'kept';
}

function recovery({ recoveredS, leftovers }: Row): string {
  const when = recoveredS === undefined ? '**no**' : `${recoveredS.toFixed(1)} s`;
  return leftovers.length === 0 ? when : `${when}, left: ${leftovers.join(', ')}`;
}
