/**
 * Runs one test file in a process of its own and tells what came of it. Where a file needs the kernel, its process has mount,
 * network and pid namespaces of its own, so that files that run at once do not meet, and whatever it leaves ends with it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Counts, and the names of the tests that failed and that were skipped. */
export interface FileOutcome extends Counts {
  failures: string[];
  skips: string[];
}

export interface FileRun {
  /** Relative to `root`, which is the working directory too. */
  path: string;
  root: string;
  /** The file is killed after this time. */
  patienceMs: number;
  hasOwnNamespaces: boolean;
  /** Its output goes to this process's own, as it comes; otherwise it is in the result. */
  isShown: boolean;
}

export interface FileResult {
  outcome: FileOutcome;
  output: string;
  seconds: number;
}

/** The first process of a namespace has to be one that reaps; its end is the end of all others. */
const namespaces = [
  ...['unshare', '--mount', '--propagation', 'private', '--net', '--pid', '--fork', '--kill-child'],
  ...['--mount-proc', 'bash', '-c', 'ip link set lo up; "$@" & wait $!', 'test-init'],
];

export async function runFile(run: FileRun): Promise<FileResult> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-outcome-'));
  try {
    return await runWithOutcome(run, join(directory, 'outcome'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function runWithOutcome(
  { path, root, patienceMs, hasOwnNamespaces, isShown }: FileRun,
  outcomeFile: string,
): Promise<FileResult> {
  const words = [
    '--disable-warning=ExperimentalWarning',
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    `--test-reporter=${resolve(import.meta.dirname, 'outcome-reporter.ts')}`,
    `--test-reporter-destination=${outcomeFile}`,
    resolve(root, path),
  ];
  const startedMs = performance.now();
  // What makes a file believe that a test runner waits for its reports is not for it.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const [command, ...parameters] = hasOwnNamespaces ? namespaces : [];
  const file = spawn(
    command ?? process.execPath,
    command === undefined ? words : [...parameters, process.execPath, ...words],
    {
      cwd: root,
      env,
      stdio: isShown ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [file.stdout, file.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  let isTooLate = false;
  const patience = setTimeout(() => {
    isTooLate = true;
    file.kill('SIGKILL');
  }, patienceMs);
  const closed = once(file, 'close');
  const [code, signal] = (await once(file, 'exit')) as [number | null, string | null];
  clearTimeout(patience);
  // Without namespaces, a process that a test left behind may hold the output open.
  await Promise.race([closed, delay(1000, undefined, { ref: false })]);
  return {
    outcome: outcomeOf(outcomeFile, {
      path,
      how: isTooLate ? `after ${patienceMs / 1000} s` : (signal ?? `with status ${code}`),
      isGood: code === 0,
    }),
    // Each file's own counts would hide the sum of all.
    output: output.replace(
      /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) .*\n/gm,
      '',
    ),
    seconds: Math.round(performance.now() - startedMs) / 1000,
  };
}

/** A file that ended in a bad way has failed, also where no test of it did. */
function outcomeOf(
  outcomeFile: string,
  end: { path: string; how: string; isGood: boolean },
): FileOutcome {
  let outcome: FileOutcome = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
  let isWhole = true;
  try {
    outcome = JSON.parse(readFileSync(outcomeFile, 'utf8'));
  } catch {
    // A process that ended before its tests has written nothing, or only a part.
    isWhole = false;
  }
  if (outcome.failed === 0 && (!isWhole || !end.isGood)) {
    outcome.failed++;
    outcome.failures.push(`${end.path} ended ${end.how}`);
  }
  return outcome;
}
