/** A shared folder answers as a native file system does: the same program on both, line by line. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type MountedFolder, mountFolder } from './testdata/mounted-folder.ts';

const run = promisify(execFile);

/** Where a shared folder answers otherwise, and why. */
const deviations: Record<string, [native: string, shared: string]> = {
  // Node's file API takes seconds as a double: a quarter of a microsecond.
  'attributes: single nanoseconds': ['123456789', 'another'],
  // The mount is nodev, and a device on the host would be the host's.
  'special: device': ['0', 'EPERM'],
  // Neither has Node: programs take a name, or do without.
  'special: nameless': ['0', 'EOPNOTSUPP'],
  'special: extended attribute': ['0', 'EOPNOTSUPP'],
};

let folder: MountedFolder;
let program: string;

before(async () => {
  folder = await mountFolder();
  program = join(folder.directory, 'posix');
  execFileSync('gcc', ['-O1', '-w', '-o', program, join(import.meta.dirname, 'testdata/posix.c')]);
});

after(async () => {
  await folder.close();
  assert.deepEqual(folder.failures, []);
});

test('a shared folder answers as a native one, but for what is listed', async () => {
  const native = join(folder.directory, 'native');
  mkdirSync(native);
  const [expected, answered] = await Promise.all([observe(native), observe(folder.guest)]);
  assert.ok(expected.length > 200, `${expected.length} observations`);
  const differences = expected.flatMap((line, index) =>
    line === answered[index] ? [] : [difference(line, answered[index] ?? '')],
  );
  assert.deepEqual(Object.fromEntries(differences), deviations);
  assert.equal(answered.length, expected.length);
});

function difference(line: string, other: string): [string, [string, string]] {
  const [what, value] = [
    line.slice(0, line.lastIndexOf(': ')),
    line.slice(line.lastIndexOf(': ') + 2),
  ];
  const seen = other.slice(other.lastIndexOf(': ') + 2);
  return [what, [value, what === 'attributes: single nanoseconds' ? 'another' : seen]];
}

async function observe(directory: string): Promise<string[]> {
  const { stdout } = await run(program, [directory], { encoding: 'latin1' });
  return stdout.trimEnd().split('\n');
}
