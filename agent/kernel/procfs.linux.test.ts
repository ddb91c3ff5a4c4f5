import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import {
  copyOfProcfs,
  namespaceId,
  openProcessDirectory,
  openProcfs,
  readProcfs,
  writeProcfs,
} from './procfs.ts';

const procFd = openProcfs();
after(() => closeSync(procFd));

test('a process’s directory stays its own: once it has ended there is nothing to read', async () => {
  const child = spawn('sleep', ['1000']);
  const directory = openProcessDirectory(procFd, child.pid ?? 0);
  assert.match(readProcfs(directory, 'status').text, /^Name:\t/);
  assert.equal(typeof namespaceId(directory, 'mnt'), 'number');
  child.kill('SIGKILL');
  await once(child, 'exit');
  for (const file of ['status', 'stat', 'mountinfo', 'cgroup'])
    assert.throws(
      () => readProcfs(directory, file),
      ({ code }: { code: string }) => ['ESRCH', 'ENOENT'].includes(code),
      file,
    );
  closeSync(directory);
  assert.throws(() => openProcessDirectory(procFd, child.pid ?? 0), { code: 'ENOENT' });
});

test('namespaces are read by their number, and one that the kernel does not have is none', () => {
  const own = openProcessDirectory(procFd, 'self');
  assert.equal(`net:[${namespaceId(own, 'net')}]`, readlinkSync('/proc/self/ns/net'));
  assert.equal(namespaceId(own, 'nosuch'), undefined);
  closeSync(own);
});

test('nothing leads out of a process’s directory', () => {
  const own = openProcessDirectory(procFd, 'self');
  assert.throws(() => readProcfs(own, 'root/etc/hostname'), { code: 'ELOOP' });
  assert.throws(() => readProcfs(own, '../1/status'), { code: 'EXDEV' });
  assert.throws(() => readProcfs(own, 'exe'), { code: 'ELOOP' });
  closeSync(own);
});

test('what is mounted over a file of procfs is not taken for the file (CVE-2025-52881)', () => {
  execFileSync('mount', ['--bind', '/etc/hostname', '/proc/uptime']);
  // Without root it is a copy of the mount, with all that lies on it.
  const copy = copyOfProcfs();
  execFileSync('umount', ['/proc/uptime']);
  assert.throws(() => readProcfs(copy, 'uptime'), { code: 'EXDEV' });
  assert.throws(() => writeProcfs(copy, 'uptime', 'x'), { code: 'EXDEV' });
  assert.match(readProcfs(copy, 'loadavg').text, /^\d/);
  closeSync(copy);
});

test('a long file is cut where it was asked to, and says so', () => {
  const own = openProcessDirectory(procFd, 'self');
  const whole = readProcfs(own, 'smaps', 64 * 1024 ** 2);
  assert.equal(whole.complete, true);
  assert.ok(whole.text.length > 1000);
  const cut = readProcfs(own, 'smaps', 1);
  assert.equal(cut.complete, false);
  assert.ok(cut.text.length < whole.text.length);
  closeSync(own);
});
