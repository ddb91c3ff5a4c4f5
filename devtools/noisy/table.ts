/** What is printed: a row for each noise and engine, and the goals. */
import { percentile } from '../bench/measure.ts';
import type { Reading } from './meter.ts';
import type { Left } from './room.ts';

/** At most this often the quiet p99. */
export const goalRatio = 2;
/** Less than this share of something left is not a floor kept. */
const floorShare = 0.1;

export interface Row {
  noise: string;
  engine: string;
  quiet: Reading;
  loud: Reading;
  least: Left;
  /** What the real machine ran short of, for which the noise was ended early. */
  stoppedFor: string | undefined;
  /** Seconds from the order to remove the noise until both p99 were within the goal; undefined: not within the patience. */
  recoveredS: number | undefined;
  /** What is still there, in words. */
  leftovers: string[];
}

export function ratio(quiet: number[], loud: number[], share: number): number {
  return percentile(loud, share) / percentile(quiet, share);
}

export function floorsBroken(least: Left): string[] {
  return Object.entries(least)
    .filter(([, share]) => share < floorShare)
    .map(([name, share]) => `${name} ${Math.max(0, Math.round(share * 100))} %`);
}

/** What the engine and its neighbour took whenever it was quiet: a few seconds alone have no steady p99. */
function quietOf(rows: Row[], engine: string): Reading {
  return joined(rows.filter((row) => row.engine === engine).map(({ quiet }) => quiet));
}

/** One row for each noise and engine, of all the rounds: a single round's p99 is its few slowest requests. */
export function pooled(rows: Row[]): Row[] {
  const groups = Object.groupBy(rows, ({ noise, engine }) => `${noise} ${engine}`);
  return Object.values(groups).flatMap((rounds = []) => {
    const [first] = rounds;
    if (first === undefined) return [];
    const recovered = rounds.map(({ recoveredS }) => recoveredS ?? Infinity);
    return {
      ...first,
      quiet: joined(rounds.map(({ quiet }) => quiet)),
      loud: joined(rounds.map(({ loud }) => loud)),
      least: leastOf(rounds.map(({ least }) => least)),
      stoppedFor: rounds.find(({ stoppedFor }) => stoppedFor !== undefined)?.stoppedFor,
      recoveredS: recovered.includes(Infinity) ? undefined : Math.max(...recovered),
      leftovers: [...new Set(rounds.flatMap(({ leftovers }) => leftovers))],
    };
  });
}

function joined(readings: Reading[]): Reading {
  return {
    neighbourMs: readings.flatMap(({ neighbourMs }) => neighbourMs),
    apiMs: readings.flatMap(({ apiMs }) => apiMs),
    neighbourFailures: readings.reduce((sum, { neighbourFailures }) => sum + neighbourFailures, 0),
    apiFailures: readings.reduce((sum, { apiFailures }) => sum + apiFailures, 0),
  };
}

function leastOf(all: Left[]): Left {
  const least = (name: keyof Left) => Math.min(...all.map((left) => left[name]));
  return {
    memory: least('memory'),
    pids: least('pids'),
    disk: least('disk'),
    inodes: least('inodes'),
    files: least('files'),
  };
}

/** Of {@link pooled} rows. */
export function table(rows: Row[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const quiet = Object.fromEntries(engines.map((engine) => [engine, quietOf(rows, engine)]));
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
