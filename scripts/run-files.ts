/**
 * Runs test files side by side and counts what came of them. A file that failed has a second try, alone, once all others
 * have had their first: on a computer that is busy or slow one may fail by chance, which is a fault to be found, but not the
 * change's that is tested. It is named, with what failed at first. What fails twice has failed.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Counts, type FileOutcome, type FileResult, runFile } from './run-file.ts';

export interface TestFile {
  /** Relative to the root. */
  path: string;
  group: string;
  patienceMs: number;
  hasSecondTry: boolean;
}

/** Something else that takes one of the places, such as a type check; it says itself what came of it. */
export interface OtherJob {
  run(): Promise<void>;
}

export interface Wanted {
  /** They are begun in this order, except those that run alone, which come last. */
  jobs: (TestFile | OtherJob)[];
  root: string;
  /** How many run at once. */
  places: number;
  hasOwnNamespaces: boolean;
}

export interface Outcome {
  counts: Counts;
  /** A line for each file that passed at its second try only. */
  secondTries: string[];
  /** A line for each file that failed. */
  failures: string[];
  /** By the files' paths, at their last try. */
  seconds: Record<string, number>;
}

export const secondTryMark = 'passed at a second try only: ';

/** More at once do not fail by chance, and would take long to fail again. */
const mostSecondTries = 3;

export async function runFiles(wanted: Wanted): Promise<Outcome> {
  const { jobs, root, places } = wanted;
  const files = jobs.filter(isFile);
  const results = new Map<TestFile, FileResult>();
  const together = jobs.filter((job) => !isFile(job) || reasonToRunAlone(root, job) === undefined);
  await inPlaces(together, together.length === 1 ? 1 : places, async (job) => {
    if (isFile(job)) results.set(job, await runOne(job, wanted));
    else await job.run();
  });
  for (const file of files.filter((each) => !together.includes(each)))
    results.set(file, await runOne(file, wanted, `, alone: ${reasonToRunAlone(root, file)}`));

  const secondTries: string[] = [];
  const failed = files.filter((file) => (results.get(file)?.outcome.failed ?? 0) > 0);
  if (failed.length <= mostSecondTries)
    for (const file of failed.filter(({ hasSecondTry }) => hasSecondTry)) {
      const first = results.get(file)?.outcome;
      const again = await runOne(file, wanted, ', a second try');
      // What failed and is then skipped, or does not even begin, has not passed.
      if (first === undefined || !hasPassedAfter(first, again.outcome)) continue;
      secondTries.push(
        `${secondTryMark}${file.path} (at first failed: ${first.failures.join('; ')})`,
      );
      results.set(file, again);
    }

  return { ...sumOf(files, results), secondTries };
}

/** The comment `// Runs alone: REASON` of a file that measures or uses up what others share. */
export function reasonToRunAlone(root: string, { path }: TestFile): string | undefined {
  return /^\/\/ Runs alone: (.+)$/m.exec(readFileSync(resolve(root, path), 'utf8'))?.[1];
}

async function runOne(
  { path, group, patienceMs }: TestFile,
  { root, places, jobs, hasOwnNamespaces }: Wanted,
  remark = '',
): Promise<FileResult> {
  const heading = `\n# ${group}${remark}: ${path}`;
  // What runs beside another is shown at its end, so that their lines do not mix.
  const isShown = places === 1 || jobs.length === 1 || remark !== '';
  if (isShown) console.log(heading);
  const result = await runFile({ path, root, patienceMs, hasOwnNamespaces, isShown });
  if (!isShown)
    console.log(`${heading} (${result.seconds.toFixed(1)} s)\n${result.output.trimEnd()}`);
  return result;
}

/** Starts the next of `items` whenever one of `places` is free. */
async function inPlaces<T>(
  items: readonly T[],
  places: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: places }, work));
}

const isFile = (job: TestFile | OtherJob): job is TestFile => 'path' in job;

function hasPassedAfter(first: FileOutcome, again: FileOutcome): boolean {
  return (
    again.failed === 0 &&
    again.passed > 0 &&
    !first.failures.some((each) => again.skips.includes(each))
  );
}

function sumOf(
  files: readonly TestFile[],
  results: Map<TestFile, FileResult>,
): Omit<Outcome, 'secondTries'> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const seconds: Outcome['seconds'] = {};
  for (const file of files) {
    const result = results.get(file);
    if (result === undefined) continue;
    const { outcome } = result;
    counts.passed += outcome.passed;
    counts.failed += outcome.failed;
    counts.skipped += outcome.skipped;
    if (outcome.failed > 0) failures.push(`failed: ${file.path} (${outcome.failures.join('; ')})`);
    seconds[file.path] = result.seconds;
  }
  return { counts, failures, seconds };
}
