/** Every command of this folder answers --help in a checkout where nothing is installed, not even Node. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = join(import.meta.dirname, '..');
const base = mkdtempSync(join(tmpdir(), 'corten-usage-'));
after(() => rmSync(base, { recursive: true }));

const commands = readdirSync(import.meta.dirname).filter((name) => {
  const stat = statSync(join(import.meta.dirname, name));
  return stat.isFile() && (stat.mode & 0o111) !== 0;
});

// The checkout has no dist and no node_modules, and the PATH has only a shell and the coreutils that find the own folder.
for (const path of [...commands, 'usage.sh'].map((name) => `scripts/${name}`))
  cpSync(join(root, path), join(base, 'checkout', path));
cpSync(join(root, 'agent/options.ts'), join(base, 'checkout/agent/options.ts'));
for (const folder of ['bin', 'home', 'tmp']) mkdirSync(join(base, folder));
for (const program of ['bash', 'sh', 'dirname', 'readlink', 'cat'])
  symlinkSync(join('/usr/bin', program), join(base, 'bin', program));

function run(command: string, ...words: string[]) {
  const startedMs = performance.now();
  const outcome = spawnSync(command, words, {
    cwd: join(base, 'home'),
    env: { PATH: join(base, 'bin'), HOME: join(base, 'home'), TMPDIR: join(base, 'tmp') },
    encoding: 'utf8',
  });
  return { ...outcome, elapsedMs: performance.now() - startedMs };
}

const files = () => readdirSync(base, { recursive: true }).sort();

test('there are commands', () => assert.ok(commands.includes('start')));

for (const name of commands) {
  const command = join(base, 'checkout/scripts', name);

  test(`scripts/${name} --help prints a usage text within a second and changes nothing`, () => {
    const before = files();
    const tries = ['--help', '-h'].map((flag) => run(command, flag));
    for (const { stdout, stderr, status } of tries) {
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /^[A-Z].*\.$/m, 'a sentence');
      assert.match(stdout, new RegExp(`^Usage: (scripts/)?${name}( |$)`, 'm'));
      assert.match(stdout, new RegExp(`^Example: (scripts/)?${name}( |$)`, 'm'));
    }
    // One of the two may be slow on a busy host.
    assert.ok(Math.min(...tries.map(({ elapsedMs }) => elapsedMs)) < 1000);
    assert.deepEqual(files(), before);
  });

  test(`scripts/${name} names a wrong option and exits 2`, () => {
    const before = files();
    const { stdout, stderr, status } = run(command, '--no-such-flag');
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /--no-such-flag.*\n(.*\n)*.*--help/);
    assert.deepEqual(files(), before);
  });
}

const sample = join(base, 'sample');
writeFileSync(
  sample,
  `#!/bin/bash
set -euo pipefail
. ${join(root, 'scripts/usage.sh')}
answer_usage "$@" <<'USAGE'
Shows what may be given.

Usage: scripts/sample [OPTION…] FILE [WORD]

  --flag          takes nothing
  --name VALUE    takes a value
  --count N       takes a number
  --way[=fast]    takes a value or none
  --way=SLOW:FAST
USAGE
echo accepted
`,
  { mode: 0o755 },
);

for (const line of [
  'file',
  'file word',
  '--flag file',
  'file --name x',
  '--name=x --count 3 file',
  '--name --flag file',
  '--way file',
  '--way=1:2 file',
  '-- --file',
])
  test(`a usage text allows: ${line}`, () => {
    const { stdout, stderr, status } = run(sample, ...line.split(' '));
    assert.deepEqual([stdout, stderr, status], ['accepted\n', '', 0]);
  });

for (const [line, complaint] of [
  ['', 'an argument is missing'],
  ['file word more', "unexpected argument 'more'"],
  ['--flag=1 file', "option '--flag' takes no value"],
  ['file --name', "option '--name' takes a value"],
  ['--count=many file', "option '--count' takes a whole number, not 'many'"],
  ['--count -1 file', "option '--count' takes a whole number, not '-1'"],
  ['-x file', "unknown option '-x'"],
  ['--other=1 file', "unknown option '--other'"],
] as const)
  test(`a usage text refuses: ${line || 'nothing'}`, () => {
    const { stdout, stderr, status } = run(sample, ...line.split(' ').filter(Boolean));
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^sample: (.*)\nUsage: scripts\/sample .*\nTry 'scripts\/sample --help'\.\n$/,
    );
    assert.ok(stderr.startsWith(`sample: ${complaint}\n`), stderr);
    assert.equal(status, 2);
  });
