/** The scheduler tick's program, with and without contention. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../e2e/until.ts';
import { SchedulerTick } from './scheduler-tick.ts';

const shimPath =
  process.env.CORTEN_TEST_SHIM ?? resolve(import.meta.dirname, '../../dist/shim/shim');
/** With CONFIG_HZ=250. */
const tickMicros = 4000;

function makeTick(t: TestContext, kernelTickMicros = tickMicros): SchedulerTick {
  const tick = new SchedulerTick(shimPath, kernelTickMicros);
  t.after(async () => {
    tick.close();
    await until(() => programs().length === 0);
  });
  return tick;
}

function programs(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return children.split(' ').filter((pid) => pid !== '' && nameOf(pid) === 'corten-tick');
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}

/** Each thread's policy (the 41st field of proc_pid_stat(5)) and how often it slept. */
function threadsOf(pid: string): { policy: number; sleeps: number }[] {
  const threads = readdirSync(`/proc/${pid}/task`).sort((a, b) => Number(a) - Number(b));
  return threads.map((thread) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8');
    const stat = read('stat');
    const policy = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
    return {
      policy,
      sleeps: Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(read('status'))?.[1]),
    };
  });
}

/** Wake-ups of the ticking threads; the first thread reads the orders. */
const ticksOf = (pid: string) =>
  threadsOf(pid)
    .slice(1)
    .reduce((sum, { sleeps }) => sum + sleeps, 0);

/** Waits until the value changes no more. */
async function settled(value: () => number): Promise<void> {
  for (let before = -1; before !== value(); await sleep(500)) before = value();
}

const fifo = 1;

test('scheduler tick: a thread on each CPU wakes again and again while containers contend, and ends with that', async (t) => {
  const tick = makeTick(t);
  tick.update(false);
  assert.deepEqual(programs(), []);
  tick.update(true);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  const ticking = () => threadsOf(pid).filter(({ sleeps }) => sleeps > 200).length;
  await until(() => {
    tick.update(true);
    return ticking() === availableParallelism();
  });
  assert.deepEqual(new Set(threadsOf(pid).map(({ policy }) => policy)), new Set([fifo]));
  tick.update(false);
  await until(() => programs().length === 0);
});

test('scheduler tick: it stops when it is no longer told to go on', async (t) => {
  const tick = makeTick(t);
  tick.update(true);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  await until(() => ticksOf(pid) > 200);
  await settled(() => ticksOf(pid));
  assert.equal(programs().length, 1, 'it waits for the next order');
  const before = ticksOf(pid);
  tick.update(true);
  await until(() => ticksOf(pid) > before + 200);
});

test('scheduler tick: a program that ended is reaped, and started again after the contention', async (t) => {
  const tick = makeTick(t);
  tick.update(true);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  process.kill(Number(pid), 'SIGKILL');
  await until(() => {
    tick.update(true);
    return programs().length === 0;
  });
  tick.update(true);
  assert.deepEqual(programs(), []);
  tick.update(false);
  tick.update(true);
  await until(() => programs().length === 1);
});

test('scheduler tick: a kernel that ticks as often by itself has none', async (t) => {
  const tick = makeTick(t, 1000);
  for (let second = 0; second < 3; second++) tick.update(true);
  await sleep(200);
  assert.deepEqual(programs(), []);
});
