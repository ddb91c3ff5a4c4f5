import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';
import { until } from '../e2e/until.ts';
import { O_CLOEXEC } from './files.ts';
import { libcCall } from './libc.ts';
import { sealedFile } from './memfd.ts';
import { makePipe } from './pipe.ts';
import { openProcess, reapChild, signalProcess, spawn, takeDescriptor } from './process.ts';

/** Runs busybox from memory with the given descriptors, and waits for its end. */
async function run(args: string[], descriptors: number[]): Promise<void> {
  const program = sealedFile('busybox', readFileSync('/bin/busybox'));
  const pid = spawn(program, ['busybox', ...args], descriptors);
  closeSync(program);
  await until(() => reapChild(pid));
}

/** Our descriptors beyond stdio that are not close-on-exec: none of them can be our own. */
function inheritable(): string[] {
  return readdirSync('/proc/self/fdinfo').filter((fd) => {
    if (Number(fd) < 3 || !existsSync(`/proc/self/fdinfo/${fd}`)) return false;
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & O_CLOEXEC) === 0;
  });
}

function readText(fd: number): string {
  const buffer = Buffer.alloc(4096);
  return buffer.toString('utf8', 0, readSync(fd, buffer));
}

test('a program runs from memory with exactly the descriptors it was given', async () => {
  const nothing = openSync('/dev/null', constants.O_RDWR);
  const { readFd, writeFd } = makePipe();
  await run(['ls', '/proc/self/fd'], [nothing, writeFd, nothing]);
  const seen = readText(readFd).trim().split('\n');
  // 3 is ls's own handle on the directory; whoever started us may have left more open.
  const expected = ['0', '1', '2', '3', ...inheritable()];
  assert.deepEqual(seen.sort(), expected.sort());
  for (const fd of [nothing, readFd, writeFd]) closeSync(fd);
});

test('descriptors whose numbers are each other’s targets are not mixed up', async () => {
  const first = makePipe();
  const second = makePipe();
  const nothing = openSync('/dev/null', constants.O_RDWR);
  // Targets 0 to 40 cover the numbers of the sources themselves.
  const table = Array.from({ length: 41 }, () => nothing);
  table[first.writeFd] = second.writeFd;
  table[second.writeFd] = first.writeFd;
  await run(['sh', '-c', `echo one >&${first.writeFd}; echo two >&${second.writeFd}`], table);
  assert.equal(readText(second.readFd), 'one\n');
  assert.equal(readText(first.readFd), 'two\n');
  for (const fd of [first.readFd, first.writeFd, second.readFd, second.writeFd, nothing])
    closeSync(fd);
});

test('a sealed file cannot be written, grown, shrunk or unsealed', () => {
  const fd = sealedFile('sealed', Buffer.from('content'));
  assert.throws(() => writeSync(fd, 'x', 0), { code: 'EPERM' });
  for (const length of [1, 100]) assert.throws(() => ftruncateSync(fd, length), { code: 'EPERM' });
  const fcntl = libcCall('fcntl', ['int', 'int', 'int']);
  const [addSeals, futureWrite] = [1033, 16];
  assert.throws(() => fcntl('seals', fd, addSeals, futureWrite), { code: 'EPERM' });
  assert.equal(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), 'content');
  closeSync(fd);
});

test('a pidfd outlives its process, and then says so', async () => {
  const nothing = openSync('/dev/null', constants.O_RDWR);
  const program = openSync('/bin/busybox', constants.O_RDONLY);
  const pid = spawn(program, ['busybox', 'sleep', '100'], [nothing, nothing, nothing, program]);
  const pidfd = openProcess(pid);
  const copy = takeDescriptor(pidfd, 3);
  assert.equal(readFileSync(`/proc/self/fd/${copy}`).length, readFileSync('/bin/busybox').length);
  signalProcess(pidfd, 9);
  await until(() => reapChild(pid));
  assert.throws(() => signalProcess(pidfd, 9), { code: 'ESRCH' });
  assert.throws(() => reapChild(pid), { code: 'ECHILD' });
  for (const fd of [nothing, program, pidfd, copy]) closeSync(fd);
});
