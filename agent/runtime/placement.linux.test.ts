/** Control groups as the runtime sees them: where the process is born, and what it sees of it. */
import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDirectory } from '../kernel/files.ts';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

const shell = (script: string) => testSpec(testProcess(['/bin/sh', '-c', script]));

/** A group of our own below a hierarchy, removed when the work is done. */
async function withGroup<T>(hierarchy: string, work: (path: string) => Promise<T>): Promise<T> {
  // The group bears the directory's name, by which scripts/test finds it if this is killed.
  const directory = mkdtempSync(join(tmpdir(), 'corten-runtime-test-'));
  const path = join(hierarchy, basename(directory));
  mkdirSync(path);
  try {
    return await work(path);
  } finally {
    await removeGroup(path);
    rmdirSync(directory);
  }
}

/** The kernel lets go of dying processes a little after their end. */
async function removeGroup(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(10);
    }
  }
}

const unified = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((path) =>
  existsSync(join(path, 'cgroup.procs')),
);
const pids = '/sys/fs/cgroup/pids';

test(
  'v2: the process is born in the group, which is the root that it sees',
  { skip: unified === undefined },
  () =>
    withGroup(unified!, async (path) => {
      const directoryFd = openDirectory(path);
      const { running } = await bench.start(shell('cat /proc/self/cgroup; sleep 1000'), {
        placement: { directoryFd, procsFds: [] },
      });
      closeSync(directoryFd);
      assert.ok(
        readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').includes(String(running.pid)),
      );
      assert.match(
        readFileSync(`/proc/${running.pid}/cgroup`, 'utf8'),
        /0::\/.*corten-runtime-test/,
      );
      running.signal(9);
      await running.exited;
    }),
);

test(
  'v1: the process is in every group of the placement, and an exec too',
  { skip: !existsSync(pids) },
  () =>
    withGroup(pids, async (path) => {
      const procs = () => openSync(join(path, 'cgroup.procs'), constants.O_WRONLY);
      const first = procs();
      const { running } = await bench.start(shell('sleep 1000'), {
        placement: { procsFds: [first] },
      });
      closeSync(first);
      const second = procs();
      const inside = await bench.runtime.exec(running, {
        process: testProcess(['sleep', '1000']),
        runDirectory: bench.place().run,
        placement: { procsFds: [second] },
        openStdin: false,
        seccomp: undefined,
      });
      closeSync(second);
      closeSync(inside.stdio.stdoutFd!);
      closeSync(inside.stdio.stderrFd!);
      const members = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n');
      assert.ok(members.includes(String(running.pid)));
      assert.ok(members.includes(String(inside.pid)));
      // The shim itself is not: it must not die or be throttled with the container.
      assert.ok(!members.includes(String(running.shimPid)));
      running.signal(9);
      await inside.exited;
      await running.exited;
    }),
);

test(
  'v2: the container sees its own group only, and read-only',
  { skip: unified === undefined },
  () =>
    withGroup(unified!, async (path) => {
      const directoryFd = openDirectory(path);
      const script =
        'cat /proc/self/cgroup; grep -c . /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>&1';
      const { stdout } = await bench.run(
        shell(script),
        { placement: { directoryFd, procsFds: [] } },
        { cgroupPaths: new Map([['', path]]) },
      );
      closeSync(directoryFd);
      // With v1 beside it, lines of that come first.
      assert.match(stdout, /(^|\n)0::\/\n\d\n.*Read-only file system\n$/);
    }),
);

test('v1: the container sees its own group only, and read-only', { skip: !existsSync(pids) }, () =>
  withGroup(pids, async (path) => {
    const fd = openSync(join(path, 'cgroup.procs'), constants.O_WRONLY);
    const script =
      'ls /sys/fs/cgroup; grep pids: /proc/self/cgroup; grep -c . /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x 2>&1; mkdir /sys/fs/cgroup/x 2>&1';
    const { stdout } = await bench.run(
      shell(script),
      { placement: { procsFds: [fd] } },
      { cgroupPaths: new Map([['pids', path]]) },
    );
    closeSync(fd);
    assert.match(
      stdout,
      /^pids\n\d+:pids:\/\n\d\n.*Read-only file system\n.*Read-only file system\n$/,
    );
  }),
);

test('a group that cannot be joined stops the start, and nothing runs outside it', async () => {
  const fd = openSync('/dev/full', constants.O_WRONLY);
  await assert.rejects(bench.run(shell('true'), { placement: { procsFds: [fd] } }), {
    message: /joining the control group: no space left on device/,
  });
  closeSync(fd);
});
