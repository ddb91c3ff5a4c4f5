/**
 * Runs test files and counts what came of them. A file that failed has a second try, alone, once all others have had
 * their first: on a computer that is busy or slow one may fail by chance, which is a fault to be found, but not the
 * change's that is tested. It is named, with what failed at first. What fails twice has failed.
 */
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface TestFiles {
  name: string;
  /** Relative to `root`. */
  files: string[];
  root: string;
  /** Test files at once. */
  concurrency: number;
  /** For one file. */
  patienceMs: number;
  hasSecondTry: boolean;
}

export interface Outcome {
  counts: Counts;
  /** A line for each file that passed at its second try only. */
  secondTries: string[];
}

/** The names of tests: those that failed, and those that were skipped. */
interface FileOutcome extends Counts {
  failures: string[];
  skips: string[];
}

export const secondTryMark = 'passed at a second try only: ';

/** More at once do not fail by chance, and would take long to fail again. */
const mostSecondTries = 3;

export async function runFiles(wanted: TestFiles): Promise<Outcome> {
  const { name, files, hasSecondTry } = wanted;
  console.log(`\n# ${name}: ${files.length} files`);
  const outcome = await runOnce(wanted);
  const secondTries: string[] = [];
  const failed = files.filter((file) => (outcome.get(file)?.failed ?? 0) > 0);
  if (hasSecondTry && failed.length <= mostSecondTries)
    for (const file of failed) {
      console.log(`\n# ${name}, a second try: ${file}`);
      const again = await runOnce({ ...wanted, files: [file], concurrency: 1 });
      const first = outcome.get(file)?.failures ?? [];
      const second = again.get(file);
      // What failed and is then skipped, or does not even begin, has not passed.
      if (second === undefined || second.passed === 0) continue;
      if (second.failed === 0 && first.some((each) => second.skips.includes(each))) continue;
      if (second.failed === 0)
        secondTries.push(`${secondTryMark}${file} (at first failed: ${first.join('; ')})`);
      outcome.set(file, second);
    }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of outcome.values()) {
    counts.passed += passed;
    counts.failed += failed;
    counts.skipped += skipped;
  }
  return { counts, secondTries };
}

async function runOnce({
  files,
  root,
  concurrency,
  patienceMs,
}: TestFiles): Promise<Map<string, FileOutcome>> {
  const outcome = new Map<string, FileOutcome>();
  /** Of the file that was run, also for a test of a suite that several share. */
  const of = (event: { file?: string; entryFile?: string }) => {
    const path = event.entryFile ?? event.file;
    const name = path === undefined ? 'no file' : relative(root, path);
    const known = outcome.get(name) ?? {
      passed: 0,
      failed: 0,
      skipped: 0,
      failures: [],
      skips: [],
    };
    outcome.set(name, known);
    return known;
  };
  const events = run({
    files: files.map((path) => resolve(root, path)),
    cwd: root,
    concurrency,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    timeout: patienceMs,
  });
  events.on('test:pass', (event) => {
    // A suite that is skipped tells of none of its tests.
    if (event.skip !== undefined || event.todo !== undefined) {
      of(event).skipped++;
      of(event).skips.push(event.name);
    } else if (event.details.type !== 'suite') of(event).passed++;
  });
  events.on('test:fail', (event) => {
    if (event.details.type === 'suite') return;
    of(event).failed++;
    of(event).failures.push(event.name);
  });
  const report = events.compose(spec);
  report.pipe(process.stdout, { end: false });
  await new Promise((finished) => report.on('end', finished));
  return outcome;
}
