/** The beat's program, told of a machine that is busy or not. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../e2e/until.ts';
import { Beat } from './beat.ts';

const shimPath =
  process.env.CORTEN_TEST_SHIM ?? resolve(import.meta.dirname, '../../dist/shim/shim');
/** Of CONFIG_HZ=250. */
const tickMicros = 4000;

function makeBeat(t: TestContext, kernelsMicros = tickMicros): Beat {
  const beat = new Beat(shimPath, kernelsMicros);
  t.after(async () => {
    beat.close();
    await until(() => programs().length === 0);
  });
  return beat;
}

function programs(): string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return children.split(' ').filter((pid) => pid !== '' && nameOf(pid) === 'corten-beat');
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}

/** Of each thread: its policy (the 41st field of proc_pid_stat(5)) and how often it slept. */
function threadsOf(pid: string): { policy: number; sleeps: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8');
    const stat = read('stat');
    const policy = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
    return {
      policy,
      sleeps: Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(read('status'))?.[1]),
    };
  });
}

const contended = { running: 2, isContended: true };
const fifo = 1;

test('beat: a thread on each processor wakes again and again while two containers contend, and none with one', async (t) => {
  const beat = makeBeat(t);
  beat.follow({ running: 2, isContended: false });
  assert.deepEqual(programs(), []);
  beat.follow(contended);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  const beating = () => threadsOf(pid).filter(({ sleeps }) => sleeps > 200).length;
  await until(() => {
    beat.follow(contended);
    return beating() === availableParallelism();
  });
  assert.deepEqual(new Set(threadsOf(pid).map(({ policy }) => policy)), new Set([fifo]));
  beat.follow({ running: 1, isContended: false });
  await until(() => programs().length === 0);
});

test('beat: it falls still when nobody says any more that it is needed', async (t) => {
  const beat = makeBeat(t);
  beat.follow(contended);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  const sleeps = () => threadsOf(pid).reduce((sum, thread) => sum + thread.sleeps, 0);
  await until(() => sleeps() > 200);
  for (let before = -1; before !== sleeps(); await sleep(500)) before = sleeps();
  assert.equal(programs().length, 1, 'it waits to be needed again');
});

test('beat: one that has ended is collected and not begun again until fewer run', async (t) => {
  const beat = makeBeat(t);
  beat.follow(contended);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  process.kill(Number(pid), 'SIGKILL');
  await until(() => {
    beat.follow(contended);
    return programs().length === 0;
  });
  beat.follow(contended);
  assert.deepEqual(programs(), []);
  beat.follow({ running: 0, isContended: false });
  beat.follow(contended);
  await until(() => programs().length === 1);
});

test('beat: a kernel whose ticks are as short has none', (t) => {
  const beat = makeBeat(t, 1000);
  for (let second = 0; second < 3; second++) beat.follow(contended);
  assert.deepEqual(programs(), []);
});
