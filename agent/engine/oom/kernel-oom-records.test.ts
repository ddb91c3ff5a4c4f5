/** Lines of real kernels; those of cgroup v2's whole groups follow the kernel's own format strings. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseRecord } from '../../kernel/kernel-log.ts';
import { KernelOomRecords } from './kernel-oom-records.ts';

const container = 'f3cdf54b5e88b5ad965f0836a6d51ef3385a29e9ea2aa6430ff1dd4e438854b1';
const real = readFileSync(
  join(import.meta.dirname, 'testdata/linux-6.18-cgroup-v1.kmsg'),
  'utf8',
).split('\n');

function read(lines: string[]): KernelOomRecords {
  const log = new KernelOomRecords();
  for (const line of lines) {
    const record = parseRecord(line);
    if (record !== undefined) log.add(record);
  }
  return log;
}

const kernel = (text: string, sequence = 1) => `6,${sequence},123456,-;${text}`;
const chosen = (task: string, pid: number, group = `/corten-1/${container}`) =>
  kernel(
    `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=${group},task_memcg=${group},task=${task},pid=${pid},uid=0`,
  );
const killed = (task: string, pid: number, kilobytes = 10) =>
  kernel(
    `Memory cgroup out of memory: Killed process ${pid} (${task}) total-vm:9kB, anon-rss:${kilobytes}kB, file-rss:2kB, shmem-rss:3kB, UID:0 pgtables:1kB oom_score_adj:0`,
  );

test('a real kill: the process, what it had, and the container it was in', () => {
  const log = read(real);
  assert.deepEqual(log.take('0'.repeat(64), 1), []);
  assert.deepEqual(log.take(container, 1), [
    {
      group: `/corten-0ef69/${container}`,
      cause: 'limit',
      process: { name: 'dd', pid: 10_205, memoryBytes: (48_768 + 1236) * 1024 },
    },
  ]);
  assert.deepEqual(log.take(container, 1), []);
});

test('a kill whose second line has not come is not told yet', () => {
  const log = read(real.filter((line) => !line.includes('Killed process')));
  assert.deepEqual(log.take(container, 1), []);
  const rest = parseRecord(real.find((line) => line.includes('Killed process')) ?? '');
  assert.ok(rest);
  log.add(rest);
  assert.equal(log.take(container, 1)[0]?.process.name, 'dd');
});

test('a process cannot forge a record of an OOM kill by its name', () => {
  const name = 'x,pid=1,uid=0';
  const log = read([chosen(name, 77), killed(name, 77)]);
  assert.deepEqual(log.take(container, 1)[0]?.process, {
    name,
    pid: 77,
    memoryBytes: 15 * 1024,
  });
});

test('lines that a program wrote to /dev/kmsg are not the kernel’s', () => {
  const forged = [chosen('innocent', 5), killed('innocent', 5)].map((line) =>
    line.replace(/^6,/, '14,'),
  );
  assert.deepEqual(read(forged).take(container, 1), []);
});

test('only the newest kills are taken, as many as were counted', () => {
  const lines = [1, 2, 3].flatMap((pid) => [chosen('sh', pid), killed('sh', pid)]);
  assert.deepEqual(
    read(lines)
      .take(container, 2)
      .map(({ process }) => process.pid),
    [2, 3],
  );
});

test('a group that is killed whole: its other processes have one line each', () => {
  const log = read([
    chosen('leader', 1),
    killed('leader', 1),
    // Among all of its group it is met once more (mm/oom_kill.c).
    kernel(`Tasks in /corten-1/${container} are going to be killed due to memory.oom.group set`),
    killed('other', 2),
    killed('leader', 1),
    killed('third (x)', 3),
    chosen('elsewhere', 4, '/system.slice/db'),
    killed('elsewhere', 4),
  ]);
  assert.deepEqual(
    log.take(container, 9).map(({ process }) => process.name),
    ['leader', 'other', 'third (x)'],
  );
});

test('of a group that is killed whole all are taken, though the count may lack the chosen one', () => {
  const log = read([
    ...[chosen('earlier', 7), killed('earlier', 7)],
    ...[chosen('leader', 1), killed('leader', 1)],
    kernel(`Tasks in /corten-1/${container} are going to be killed due to memory.oom.group set`),
    killed('other', 2),
  ]);
  assert.deepEqual(
    log.take(container, 1).map(({ process }) => process.name),
    ['leader', 'other'],
  );
});

test('a machine without memory kills in a container too', () => {
  const log = read([
    kernel(
      `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/corten-1/${container}/inner,task=db,pid=8,uid=999`,
    ),
    kernel(
      'Out of memory: Killed process 8 (db) total-vm:9kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB, UID:999 pgtables:1kB oom_score_adj:0',
    ),
  ]);
  assert.deepEqual(log.take(container, 1)[0]?.cause, 'machine');
});

test('records: continuation lines and nonsense', () => {
  assert.deepEqual(parseRecord('30,7,1,-;hello; world\n SUBSYSTEM=x\n'), {
    sequence: 7,
    fromKernel: false,
    text: 'hello; world',
  });
  assert.equal(parseRecord(' DEVICE=+x'), undefined);
  assert.equal(parseRecord(''), undefined);
});
