import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LimitEvent } from '../../contract/pressure.ts';
import type { KernelRecord } from '../../kernel/kernel-log.ts';
import { OomEvents } from './oom-events.ts';

const kill = (id: string, pid: number): string[] => [
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/${id},task_memcg=/${id},task=t${pid},pid=${pid},uid=0`,
  `Memory cgroup out of memory: Killed process ${pid} (t${pid}) total-vm:9kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0`,
];

function bench() {
  const waiting: string[] = [];
  const told: (LimitEvent & { id: string })[] = [];
  const reports: string[] = [];
  let failure: Error | undefined;
  let closed = 0;
  const oomEvents = new OomEvents(
    {
      async *records(): AsyncGenerator<KernelRecord> {
        if (failure) throw failure;
        for (const text of waiting.splice(0)) yield { sequence: 1, fromKernel: true, text };
      },
      close: () => void closed++,
    },
    (id, event) => told.push({ id, ...event }),
    (error) => reports.push(String(error)),
  );
  return {
    oomEvents,
    log: (...lines: string[]) => waiting.push(...lines),
    told: () => told.map(({ id, process, unknown, count }) => [id, process?.pid ?? unknown, count]),
    fail: (code: string | undefined) => {
      failure = code === undefined ? undefined : Object.assign(new Error(`${code}: no`), { code });
    },
    reports,
    closed: () => closed,
  };
}

test('each kill that was counted finds its process, in whatever container', async () => {
  const { oomEvents, log, told } = bench();
  log(...kill('a', 1), ...kill('b', 2), ...kill('a', 3));
  oomEvents.count('a', 1, Date.now());
  oomEvents.count('b', 1, Date.now());
  oomEvents.count('a', 1, Date.now());
  await oomEvents.settle();
  assert.deepEqual(told(), [
    ['a', 1, 1],
    ['a', 3, 1],
    ['b', 2, 1],
  ]);
  assert.equal(oomEvents.pending, false);
});

test('a group that is killed whole is told whole', async () => {
  const { oomEvents, log, told } = bench();
  const [, ended = ''] = kill('a', 2);
  log(...kill('a', 1), 'Tasks in /a are going to be killed due to memory.oom.group set', ended);
  // What was chosen had ended before it was met again (cgroup/memory.ts).
  oomEvents.count('a', 1, Date.now());
  await oomEvents.settle();
  assert.deepEqual(told(), [
    ['a', 1, 1],
    ['a', 2, 1],
  ]);
  assert.equal(oomEvents.pending, false);
});

test('a line that comes late is waited for', async () => {
  const { oomEvents, log, told } = bench();
  oomEvents.count('a', 1, Date.now());
  await oomEvents.settle();
  assert.deepEqual(told(), []);
  const settled = oomEvents.settleAll('a');
  log(...kill('a', 9));
  await settled;
  assert.deepEqual(told(), [['a', 9, 1]]);
});

test('a line that never comes, and a log that may not be read: told without a name', async () => {
  const { oomEvents, told, fail, reports } = bench();
  oomEvents.count('a', 2, Date.now() - 60_000);
  await oomEvents.settle();
  fail('EPERM');
  oomEvents.count('b', 1, Date.now());
  await oomEvents.settle();
  assert.deepEqual(told(), [
    ['a', "the kernel's log does not tell of it", 2],
    ['b', "the kernel's log cannot be read: EPERM: no", 1],
  ]);
  // Said in the events, and by what the machine can do (abilities.ts).
  assert.deepEqual(reports, []);
});

test('a log that breaks is reported once, opened anew, and names again what it can be asked for', async () => {
  const { oomEvents, log, told, fail, reports, closed } = bench();
  fail('EMFILE');
  oomEvents.count('a', 1, Date.now());
  oomEvents.count('b', 1, Date.now() - 60_000);
  for (let second = 0; second < 3; second++) await oomEvents.settle();
  assert.deepEqual(reports, ['Error: EMFILE: no']);
  assert.equal(closed(), 3);
  assert.deepEqual(told(), [['b', "the kernel's log cannot be read: EMFILE: no", 1]]);
  fail(undefined);
  log(...kill('a', 5));
  await oomEvents.settle();
  assert.deepEqual(told().at(-1), ['a', 5, 1]);
  fail('EMFILE');
  oomEvents.count('a', 1, Date.now() - 60_000);
  await oomEvents.settle();
  assert.equal(reports.length, 2, 'it had gone well meanwhile');
});

test('of a thousand killed at once a few are named', async () => {
  const { oomEvents, log, told } = bench();
  for (let pid = 1; pid <= 20; pid++) log(...kill('a', pid));
  oomEvents.count('a', 20, Date.now());
  await oomEvents.settle();
  assert.equal(told().length, 9);
  assert.deepEqual(told().at(-1), ['a', 'only the first 8 are named', 12]);
});
