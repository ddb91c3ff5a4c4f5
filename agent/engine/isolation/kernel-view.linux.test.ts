import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { after, test } from 'node:test';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { conflict } from '../../errors.ts';
import { openProcfs } from '../../kernel/procfs.ts';
import { readKernelView } from './kernel-view.ts';

const procFd = openProcfs();
after(() => closeSync(procFd));
const cgroup = { paths: new Map() } as unknown as Cgroup;
const running = (pid: number, signal: () => void) => ({
  id: 'a',
  process: { pid, signal },
  cgroup,
});
const ended = () => {
  throw conflict('the process is not running any more');
};

test('a process that merely got the number is not taken for the container’s', () => {
  // Our own process is there to be read: it is the pidfd that says that it is somebody else's.
  const stranger = running(process.pid, ended);
  assert.throws(() => readKernelView(procFd, stranger, [], []), { kind: 'conflict' });
  const view = readKernelView(
    procFd,
    running(process.pid, () => {}),
    [stranger],
    [],
  );
  assert.ok(
    view.namespaces.every(({ scope, sharedWith }) => scope === 'host' && sharedWith.length === 0),
  );
  assert.equal(view.uid, process.geteuid?.());
});

test('one that has ended is a conflict, whatever its number is now', () => {
  const gone = running(2 ** 22 + 1, () => {});
  assert.throws(() => readKernelView(procFd, gone, [], []), { kind: 'conflict', message: /ended/ });
});
