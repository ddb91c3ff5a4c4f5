import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  makeDevice,
  makeDirectoriesInRoot,
  openDirectory,
  openInRoot,
  readlinkat,
  readTextInRoot,
  splitDevice,
  symlinkat,
  utimensat,
  withFd,
} from './files.ts';
import { hasErrno } from './libc.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-files-'));
after(() => rmSync(directory, { recursive: true }));
const root = join(directory, 'root');
mkdirSync(root);
writeFileSync(join(directory, 'secret'), 'outside');
const rootFd = openDirectory(root);
after(() => closeSync(rootFd));

test('a link that points out of the root stays inside it', () => {
  symlinkSync('../secret', join(root, 'relative'));
  symlinkSync(join(directory, 'secret'), join(root, 'absolute'));
  assert.equal(readTextInRoot(rootFd, '/relative'), undefined);
  assert.equal(readTextInRoot(rootFd, '/absolute'), undefined);
  writeFileSync(join(root, 'secret'), 'inside');
  assert.equal(readTextInRoot(rootFd, '/relative'), 'inside');
});

test('magic links are refused', () => {
  const procFd = openDirectory('/proc');
  withFd(procFd, () =>
    assert.throws(
      () => openInRoot(procFd, '/self/root', constants.O_RDONLY),
      (error) => hasErrno(error, 'ELOOP'),
    ),
  );
});

test('directories are made through links inside the root', () => {
  mkdirSync(join(root, 'real'));
  symlinkSync('/real', join(root, 'alias'));
  closeSync(makeDirectoriesInRoot(rootFd, '/alias/a/b', 0o700));
  assert.ok(statSync(join(root, 'real/a/b')).isDirectory());
});

test('a dangling link in the way is an error, not a directory elsewhere', () => {
  symlinkSync('/nowhere', join(root, 'dangling'));
  assert.throws(
    () => makeDirectoriesInRoot(rootFd, '/dangling/x'),
    (error) => hasErrno(error, 'ENOENT'),
  );
});

test('what is not a regular file, or too large, is refused', () => {
  assert.throws(() => readTextInRoot(rootFd, '/real'), /not a regular file/);
  writeFileSync(join(root, 'large'), 'x'.repeat(100));
  assert.throws(() => readTextInRoot(rootFd, '/large', 10), /larger than 10 bytes/);
});

test('device numbers survive the round trip', () => {
  for (const [major, minor] of [
    [1, 3],
    [136, 70_000],
    [4095, 1_048_575],
    [0, 0],
  ] as const)
    assert.deepEqual(splitDevice(makeDevice(major, minor)), { major, minor });
  assert.deepEqual(splitDevice(statSync('/dev/null').rdev), { major: 1, minor: 3 });
});

test('times are set on a link itself, to the nanosecond, before 1970 too', () => {
  symlinkat('target', rootFd, 'link');
  assert.equal(readlinkat(rootFd, 'link'), 'target');
  utimensat(rootFd, 'link', 0n, -1_500_000_000n);
  assert.equal(lstatSync(join(root, 'link'), { bigint: true }).mtimeNs, -1_500_000_000n);
});
