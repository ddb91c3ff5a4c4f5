/**
 * Runs every test and ends with one line of counts. Groups: `check` (format, lint, types), `unit`,
 * `linux` (the real kernel, as root), `e2e` (the real UI in a browser), `vm` (a virtual machine), `guest`
 * (limits and isolation on the guest's kernel), `desktop` (a Debian with systemd). Before the counts it names each file
 * that failed, or passed at a second try only (run-files.ts). scripts/test runs this in namespaces of its own.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';
import { patienceMs as usualMs } from '../agent/e2e/patience.ts';
import { chooseFrom, type FileGroup, readWords } from './chosen-tests.ts';
import type { Counts } from './run-file.ts';
import { type OtherJob, runFiles, secondTryMark, type TestFile } from './run-files.ts';

const root = resolve(import.meta.dirname, '..');
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const lastLines: string[] = [];

const words = process.argv.slice(2);
const request = readWords(words);
const chosen = chooseFrom(request);

const isRoot = process.getuid?.() === 0;
if (isRoot && process.env.CORTEN_TEST_NAMESPACES !== 'own') runInOwnNamespaces();
const jobs = [...(chosen.checks ? checks() : []), ...files()];
const outcome = await runFiles({ jobs, root, places: places(), hasOwnNamespaces: isRoot });
add(outcome.counts);
lastLines.push(...outcome.failures, ...outcome.secondTries);
// Only when it is asked for: an emulated guest takes its time.
if (chosen.guest) await inGuest();

if (request.timings !== undefined)
  writeFileSync(request.timings, `${JSON.stringify(outcome.seconds, undefined, 2)}\n`);
if (request.isChanged && jobs.length === 0) console.log('no test file imports what is changed');
for (const line of lastLines) console.log(line);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 && (counts.passed > 0 || request.isChanged) ? 0 : 1);

/** Started by itself: tests that mount and route must not do so on the machine. */
function runInOwnNamespaces(): never {
  const { status } = spawnSync(resolve(root, 'scripts/test'), words, { stdio: 'inherit' });
  process.exit(status ?? 1);
}

function add({ passed, failed, skipped }: Counts): void {
  counts.passed += passed;
  counts.failed += failed;
  counts.skipped += skipped;
}

/** More at once would miss their deadlines on two processors; an emulated processor has work enough with one. */
function places(): number {
  return usualMs > 60_000 ? 1 : 2;
}

/** Those of the slow groups first, and the longer ones of a group: what begins last should be short. */
function files(): TestFile[] {
  const how: Record<FileGroup, Partial<TestFile>> = {
    // Several boots of an emulated processor, on a computer that may be busy or slow.
    vm: { patienceMs: 30 * 60_000 },
    e2e: {},
    linux: {},
    unit: {},
    // An emulated processor, with a restart of its machine: a second try would take as long.
    desktop: { patienceMs: 60 * 60_000, hasSecondTry: false },
  };
  const usual = { patienceMs: 10 * usualMs, hasSecondTry: true };
  const bytes = (path: string) => statSync(resolve(root, path)).size;
  return (Object.keys(how) as FileGroup[]).flatMap((group) =>
    chosen.files[group]
      .toSorted((a, b) => bytes(b) - bytes(a))
      .map((path) => ({ ...usual, ...how[group], group, path })),
  );
}

function checks(): OtherJob[] {
  const parts = ['agent', 'electron', 'renderer', 'cli', 'scripts', 'devtools', 'packaging'];
  return [['biome', 'check', '.'], ...parts.map((part) => ['tsc', '-p', part])].map((command) => ({
    run: () => check(command as [string, ...string[]]),
  }));
}

async function check([command, ...parameters]: [string, ...string[]]): Promise<void> {
  const started = spawn(command, parameters, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(started, 'close');
  const said = await Promise.all([text(started.stdout), text(started.stderr)]);
  const [status] = await ended;
  console.log(`${said.join('')}${status === 0 ? '✔' : '✖'} ${command} ${parameters.join(' ')}`);
  add({ passed: Number(status === 0), failed: Number(status !== 0), skipped: 0 });
}

/** Some of the same files once more, on the guest's kernel; a run of its own, with counts of its own. */
async function inGuest(): Promise<void> {
  console.log('\n# guest');
  const guest = spawn(resolve(root, 'scripts/test-guest'), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(guest, 'close');
  let found: RegExpExecArray | null = null;
  for await (const line of createInterface(guest.stdout)) {
    console.log(line);
    if (line.startsWith(secondTryMark) || line.startsWith('failed: ')) lastLines.push(line);
    found = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line) ?? found;
  }
  const [status] = await ended;
  counts.passed += Number(found?.[1] ?? 0);
  counts.skipped += Number(found?.[3] ?? 0);
  // A machine that did not come to its end has failed, whatever it said before.
  counts.failed += Number(found?.[2] ?? 0) || Number(status !== 0);
}
