/** The same tree gives the same bytes, and programs that know the formats read them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { FileTree } from '../recipe/file-tree.ts';
import { tarOf } from '../recipe/tar.ts';
import { compressFile } from './compress.ts';
import { cpioOf } from './cpio.ts';
import { writeErofs } from './erofs.ts';

const time = new Date(1_700_000_000_000);
const skip = existsSync('/usr/bin/mkfs.erofs') ? false : 'needs erofs-utils';

/** The order in which files are added must not show. */
function tree(paths: readonly string[]): FileTree {
  const made = new FileTree();
  for (const path of paths) made.file(path, `content of ${path}\n`, 0o755);
  made.link('bin', 'usr/bin');
  made.device('dev/console', 5, 1);
  return made;
}
const paths = ['usr/bin/sh', 'etc/passwd', 'a', 'z/y/x'];
const [one, two] = [tree(paths), tree(paths.toReversed())];

test('an initramfs is read by cpio, and is the same twice', () => {
  const archive = cpioOf(one, time);
  assert.ok(archive.equals(cpioOf(two, time)));
  const listed = execFileSync('busybox', ['cpio', '-tv'], { input: archive, encoding: 'utf8' });
  assert.match(listed, /^-rwxr-xr-x .* usr\/bin\/sh$/m);
  assert.match(listed, /^lrwxrwxrwx .* bin -> usr\/bin$/m);
  assert.match(listed, /^crw------- .* dev\/console$/m);
});

test('a tar has its entries in order, with one time and one owner', async () => {
  const archive = await tarOf(one, time);
  assert.ok(archive.equals(await tarOf(two, time)));
  const listed = execFileSync('tar', ['-tv', '--utc', '--numeric-owner'], {
    input: archive,
    encoding: 'utf8',
  });
  const lines = listed.trim().split('\n');
  assert.ok(lines.every((line) => / 0\/0 .* 2023-11-14 22:13 /.test(line)));
  const names = lines.map((line) => line.split(/\s+/)[5]);
  assert.deepEqual(names, names.toSorted());
});

test('a root disk holds what the tree holds, and is the same twice', { skip }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-erofs-'));
  try {
    const [first, second] = [join(directory, 'one'), join(directory, 'two')];
    writeErofs(await tarOf(one, time), first, time);
    writeErofs(await tarOf(two, time), second, time);
    assert.ok(readFileSync(first).equals(readFileSync(second)));
    const sent = compressFile(first, 3);
    assert.ok(zstdDecompressSync(readFileSync(sent)).equals(readFileSync(first)));
    const text = execFileSync('dump.erofs', ['--cat', '--path=/z/y/x', first], {
      encoding: 'utf8',
    });
    assert.equal(text, 'content of z/y/x\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
