/** What scripts/test makes of files that pass, fail, and fail by chance. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Outcome } from './run-files.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-run-files-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const passes = "test('passes', () => {});";
const fails = "test('fails', () => assert.fail('as ever'));";
/** It fails where it has not been run before. */
const first = `const isFirst = !existsSync(import.meta.filename + '.ran');
  writeFileSync(import.meta.filename + '.ran', '');`;
const failsAtFirst = `${first} test('by chance', () => assert.ok(!isFirst, 'bad luck'));`;

function run(
  files: Record<string, string>,
  { hasSecondTry = true, hasOwnNamespaces = false, patienceMs = 60_000 } = {},
) {
  for (const [name, text] of Object.entries(files))
    writeFileSync(
      join(root, name),
      `import assert from 'node:assert/strict';
       import { existsSync, writeFileSync } from 'node:fs';
       import { test } from 'node:test';
       ${text}`,
    );
  const names = Object.keys(files).filter((name) => name.includes('.test.'));
  const jobs = names.map((path) => ({ path, group: 'unit', patienceMs, hasSecondTry }));
  const program = `import { runFiles } from ${JSON.stringify(join(import.meta.dirname, 'run-files.ts'))};
    const outcome = await runFiles(${JSON.stringify({ jobs, root, places: 2, hasOwnNamespaces })});
    console.log('outcome ' + JSON.stringify(outcome));`;
  writeFileSync(join(root, 'program.mjs'), program);
  const words = ['--disable-warning=ExperimentalWarning', join(root, 'program.mjs')];
  // Its output must not become that of this test.
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  const [, json] = /^outcome (.*)$/m.exec(stdout) ?? [];
  assert.ok(json, `${stdout}${stderr}`);
  return { output: stdout, ...(JSON.parse(json) as Outcome) };
}

test('a file that fails once passes at its second try, and is named with what failed', () => {
  const { output, counts, secondTries } = run({
    'a.test.mjs': `${passes} ${failsAtFirst}`,
    'b.test.mjs': passes,
  });
  assert.deepEqual(counts, { passed: 3, failed: 0, skipped: 0 });
  assert.deepEqual(secondTries, [
    'passed at a second try only: a.test.mjs (at first failed: by chance)',
  ]);
  assert.match(output, /bad luck.*# unit, a second try: a\.test\.mjs\n.*✔ by chance/s);
});

test('a file that fails twice has failed, also where another test of it failed at first', () => {
  const { counts, secondTries, failures } = run({
    'a.test.mjs': `${passes} ${fails}`,
    'b.test.mjs': `${failsAtFirst} test('later', () => assert.ok(isFirst));`,
    'c.test.mjs': 'process.exit(3);',
  });
  assert.deepEqual(counts, { passed: 2, failed: 3, skipped: 0 });
  assert.deepEqual(secondTries, []);
  assert.deepEqual(failures, [
    'failed: a.test.mjs (fails)',
    'failed: b.test.mjs (by chance)',
    'failed: c.test.mjs (c.test.mjs ended with status 3)',
  ]);
});

test('what failed and is then skipped has failed', () => {
  const { counts, secondTries } = run({
    'a.test.mjs': `${first} ${passes}
      test('not twice', { skip: !isFirst }, () => assert.fail('once'));`,
  });
  assert.deepEqual(counts, { passed: 1, failed: 1, skipped: 0 });
  assert.deepEqual(secondTries, []);
});

test('a test of a suite that files share counts for the file that was run', () => {
  const { counts, secondTries } = run({
    'all.suite.mjs': `${first} export const suite = () =>
      test('of the suite', () => assert.ok(!isFirst));`,
    'a.test.mjs': "import { suite } from './all.suite.mjs'; suite();",
  });
  assert.deepEqual(counts, { passed: 1, failed: 0, skipped: 0 });
  assert.match(secondTries.join(), /a\.test\.mjs \(at first failed: of the suite\)/);
});

test('many files that fail at once have no second try, nor has a group without', () => {
  const many = Object.fromEntries(
    'abcd'.split('').map((name) => [`${name}.test.mjs`, failsAtFirst]),
  );
  assert.deepEqual(run(many).counts, { passed: 0, failed: 4, skipped: 0 });
  const { counts, secondTries } = run({ 'e.test.mjs': failsAtFirst }, { hasSecondTry: false });
  assert.deepEqual([counts, secondTries], [{ passed: 0, failed: 1, skipped: 0 }, []]);
});

/** Passes only where the other one of the pair runs at the same time. */
const meets = (own: string, other: string) => `writeFileSync(${JSON.stringify(own)}, '');
  test('meets', async () => {
    const untilMs = Date.now() + 20_000;
    while (!existsSync(${JSON.stringify(other)}) && Date.now() < untilMs)
      await new Promise((later) => setTimeout(later, 10));
    assert.ok(existsSync(${JSON.stringify(other)}));
  });`;
/** Fails where another of them runs at the same time. */
const isAlone = (lock: string) => `test('alone', async () => {
    writeFileSync(${JSON.stringify(lock)}, '', { flag: 'wx' });
    await new Promise((later) => setTimeout(later, 200));
    (await import('node:fs')).rmSync(${JSON.stringify(lock)});
  });`;

test('two files run at once, and one that says why it runs alone runs alone, last', () => {
  const lock = join(root, 'lock');
  const [a, b] = [join(root, 'a'), join(root, 'b')];
  const { output, counts, seconds } = run({
    '0.test.mjs': `\n// Runs alone: it measures.\n${isAlone(lock)}`,
    '1.test.mjs': `\n// Runs alone: it fills the disk.\n${isAlone(lock)}`,
    'a.test.mjs': meets(a, b),
    'b.test.mjs': meets(b, a),
  });
  assert.deepEqual(counts, { passed: 4, failed: 0, skipped: 0 });
  assert.deepEqual(
    [...output.matchAll(/^# unit(.*): (\w)\.test\.mjs/gm)].map(([, remark]) => remark),
    ['', '', ', alone: it measures.', ', alone: it fills the disk.'],
  );
  assert.deepEqual(
    Object.keys(seconds).sort(),
    ['0', '1', 'a', 'b'].map((x) => `${x}.test.mjs`),
  );
});

test('a file that does not end is killed and has failed, with what it said', () => {
  const { output, counts, failures } = run(
    { 'a.test.mjs': `test('waits', async () => { console.log('waiting'); for (;;); });` },
    { patienceMs: 1000, hasSecondTry: false },
  );
  assert.deepEqual(counts, { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(failures, ['failed: a.test.mjs (a.test.mjs ended after 1 s)']);
  assert.match(output, /^waiting$/m);
});

test('as root each file has processes, mounts and a network of its own, which end with it', {
  skip: process.getuid?.() === 0 ? false : 'namespaces take root',
}, () => {
  const leaves = (other: string) => `
    import { execFileSync, spawn } from 'node:child_process';
    import { createServer } from 'node:net';
    test('leaves a process, a mount and a listener', async () => {
      assert.equal(execFileSync('sh', ['-c', 'cat /proc/[0-9]*/comm | grep -c sleep || true']).toString(), '0\\n');
      spawn('sleep', ['60'], { stdio: 'ignore', detached: true }).unref();
      execFileSync('mount', ['-t', 'tmpfs', ${JSON.stringify(other)}, ${JSON.stringify(root)} + '/mounted']);
      await new Promise((listening) => createServer().unref().listen(8123, '127.0.0.1', listening));
    });`;
  mkdirSync(join(root, 'mounted'));
  const { counts } = run(
    { 'a.test.mjs': leaves('a'), 'b.test.mjs': leaves('b') },
    { hasOwnNamespaces: true },
  );
  assert.deepEqual(counts, { passed: 2, failed: 0, skipped: 0 });
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(root), false);
});
