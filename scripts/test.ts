/**
 * Runs every test and ends with one line of counts. Groups: `check` (format, lint, types), `unit`,
 * `linux` (the real kernel, as root), `e2e` (the real UI in a browser), `vm` (a virtual machine), `guest`
 * (limits and isolation on the guest's kernel), `desktop` (a Debian with systemd). Before the counts it names each file
 * that passed at a second try only (run-files.ts). scripts/test runs this in namespaces of its own.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { patienceMs as usualMs } from '../agent/e2e/patience.ts';
import { choose, type FileGroup, fileGroups, testFiles } from './chosen-tests.ts';
import { type Counts, runFiles, secondTryMark, type TestFiles } from './run-files.ts';

const root = resolve(import.meta.dirname, '..');
const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const secondTries: string[] = [];

const words = process.argv.slice(2);
const chosen = choose(words, testFiles());

if (process.getuid?.() === 0 && process.env.CORTEN_TEST_NAMESPACES !== 'own') runInOwnNamespaces();
if (chosen.checks) checks();
for (const group of groups()) {
  const outcome = await runFiles(group);
  add(outcome.counts);
  secondTries.push(...outcome.secondTries);
}
// Only when it is asked for: an emulated guest takes its time.
if (chosen.guest) await inGuest();

for (const line of secondTries) console.log(line);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);

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

function groups(): TestFiles[] {
  const how: Record<FileGroup, Partial<TestFiles>> = {
    unit: { concurrency: 2 },
    linux: {},
    e2e: {},
    // Several boots of an emulated processor, on a computer that may be busy or slow.
    vm: { patienceMs: 30 * 60_000 },
    // An emulated processor, with a restart of its machine: a second try would take as long.
    desktop: { patienceMs: 60 * 60_000, hasSecondTry: false },
  };
  const usual = { root, concurrency: 1, patienceMs: 10 * usualMs, hasSecondTry: true };
  return fileGroups
    .map((name) => ({ ...usual, ...how[name], name, files: chosen.files[name] }))
    .filter(({ files }) => files.length > 0);
}

function checks(): void {
  const commands = [
    ['biome', 'check', '.'],
    ...['agent', 'electron', 'renderer', 'cli', 'scripts', 'devtools', 'packaging'].map((part) => [
      'tsc',
      '-p',
      part,
    ]),
  ];
  for (const [command, ...parameters] of commands as [string, ...string[]][]) {
    const { status } = spawnSync(command, parameters, { cwd: root, stdio: 'inherit' });
    console.log(`${status === 0 ? '✔' : '✖'} ${command} ${parameters.join(' ')}`);
    if (status === 0) counts.passed++;
    else counts.failed++;
  }
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
    if (line.startsWith(secondTryMark)) secondTries.push(line);
    found = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line) ?? found;
  }
  const [status] = await ended;
  counts.passed += Number(found?.[1] ?? 0);
  counts.skipped += Number(found?.[3] ?? 0);
  // A machine that did not come to its end has failed, whatever it said before.
  counts.failed += Number(found?.[2] ?? 0) || Number(status !== 0);
}
