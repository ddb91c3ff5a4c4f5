import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { copyTree } from './copy-tree.ts';
import { openDirectory, withFd } from './files.ts';
import { getXattr, setXattr } from './xattr.ts';

let root: string;
let source: string;
let target: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-images-copy-'));
  source = join(root, 'source');
  target = join(root, 'target');
  mkdirSync(source);
  mkdirSync(target);
});
afterEach(() => rmSync(root, { recursive: true }));

function copy() {
  withFd(openDirectory(source), (from) =>
    withFd(openDirectory(target), (to) => copyTree(from, to)),
  );
}

test('a whole Debian-like tree arrives as tar would see it', () => {
  const script = `
    mkdir -p a/b/c empty; chmod 1777 a/b; chown 12:34 a/b/c
    printf hello > a/file; chmod 4755 a/file; ln a/file a/b/again; ln a/file zz
    printf x > owned; chown 1000:1001 owned; chmod 6750 owned
    ln -s ../../../etc/passwd a/escape; chown -h 5:6 a/escape; ln -s nowhere dangling
    mkfifo -m 640 pipe; mknod -m 666 null c 1 3; mknod block b 7 300
    printf y > "$(printf 'caf\\351')"; printf z > 'newline
in name'
    touch -d '1969-12-31 23:59:58.5 UTC' owned; touch -hd '2001-02-03 04:05:06.123456789 UTC' a/escape
    touch -d '1999-01-01 UTC' a/b empty .`;
  execFileSync('sh', ['-ec', script], { cwd: source });
  copy();
  const listing = (directory: string) =>
    execFileSync(
      'sh',
      ['-c', "LC_ALL=C find . -printf '%p %y %m %U:%G %n %s %T@ %l\\n' | grep -av '^. d' | sort"],
      { cwd: directory, encoding: 'latin1' },
    ).replaceAll(/^(\S+ d \S+ \S+ \d+) \d+/gm, '$1');
  assert.equal(listing(target), listing(source));
  assert.equal(statSync(target).mtimeMs, statSync(source).mtimeMs);
  assert.equal(readFileSync(join(target, 'a/b/again'), 'utf8'), 'hello');
  assert.equal(lstatSync(join(target, 'zz')).ino, lstatSync(join(target, 'a/file')).ino);
  assert.equal(readlinkSync(join(target, 'a/escape')), '../../../etc/passwd');
  assert.equal(statSync(join(target, 'null')).rdev, statSync('/dev/null').rdev);
  assert.equal(statSync(join(target, 'block')).rdev, statSync(join(source, 'block')).rdev);
});

test('attributes are kept, but not overlay marks', () => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const file = join(source, 'ping');
  writeFileSync(file, 'x');
  withFd(openSync(file, 'r'), (fd) => {
    setXattr(fd, 'security.capability', capability);
    setXattr(fd, 'user.note', Buffer.from('hi'));
  });
  withFd(openSync(source, 'r'), (fd) => setXattr(fd, 'trusted.overlay.opaque', Buffer.from('y')));
  copy();
  withFd(openSync(join(target, 'ping'), 'r'), (fd) => {
    assert.deepEqual(getXattr(fd, 'security.capability'), capability);
    assert.equal(getXattr(fd, 'user.note')?.toString(), 'hi');
  });
  withFd(openSync(target, 'r'), (fd) =>
    assert.equal(getXattr(fd, 'trusted.overlay.opaque'), undefined),
  );
});

test('holes stay holes', () => {
  const fd = openSync(join(source, 'sparse'), 'w');
  writeSync(fd, 'begin', 0);
  writeSync(fd, 'middle', 64 * 1024 * 1024);
  ftruncateSync(fd, 128 * 1024 * 1024);
  closeSync(fd);
  copy();
  const copied = statSync(join(target, 'sparse'));
  assert.equal(copied.size, 128 * 1024 * 1024);
  assert.ok(copied.blocks * 512 < 1024 * 1024, `${copied.blocks} blocks`);
  withFd(openSync(join(target, 'sparse'), 'r'), (file) => {
    assert.ok(fstatSync(file).isFile());
    assert.equal(execFileSync('cmp', [join(source, 'sparse'), join(target, 'sparse')]).length, 0);
  });
});

test('a link in place of a directory is copied, not entered, and no descriptor stays open', () => {
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'outside/secret'), 'secret');
  symlinkSync('../outside', join(source, 'way-out'));
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  copy();
  assert.equal(open(), before);
  assert.ok(lstatSync(join(target, 'way-out')).isSymbolicLink());
});
