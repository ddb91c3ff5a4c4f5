/** What scripts/test makes of files that pass, fail, and fail by chance. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

/** One in a process of its own: a test cannot run test files itself. */
function run(files: Record<string, string>, hasSecondTry = true) {
  for (const [name, text] of Object.entries(files))
    writeFileSync(
      join(root, name),
      `import assert from 'node:assert/strict';
       import { existsSync, writeFileSync } from 'node:fs';
       import { test } from 'node:test';
       ${text}`,
    );
  const names = Object.keys(files).filter((name) => name.includes('.test.'));
  const wanted = { name: 'unit', files: names, root, concurrency: 2, patienceMs: 60_000 };
  const program = `import { runFiles } from ${JSON.stringify(join(import.meta.dirname, 'run-files.ts'))};
    const outcome = await runFiles(${JSON.stringify({ ...wanted, hasSecondTry })});
    console.log('outcome ' + JSON.stringify(outcome));`;
  writeFileSync(join(root, 'program.mjs'), program);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const words = ['--disable-warning=ExperimentalWarning', join(root, 'program.mjs')];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', env });
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
  const { counts, secondTries } = run({
    'a.test.mjs': `${passes} ${fails}`,
    'b.test.mjs': `${failsAtFirst} test('later', () => assert.ok(isFirst));`,
    'c.test.mjs': 'process.exit(3);',
  });
  assert.deepEqual(counts, { passed: 2, failed: 3, skipped: 0 });
  assert.deepEqual(secondTries, []);
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
  const { counts, secondTries } = run({ 'e.test.mjs': failsAtFirst }, false);
  assert.deepEqual([counts, secondTries], [{ passed: 0, failed: 1, skipped: 0 }, []]);
});
