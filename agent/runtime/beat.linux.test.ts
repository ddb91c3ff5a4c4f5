/** The beat's program, told of a machine that is busy or not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/** Of those that beat; the first one watches. */
const beatsOf = (pid: string) =>
  threadsOf(pid)
    .slice(1)
    .reduce((sum, { sleeps }) => sum + sleeps, 0);

/** Waits until it changes no more. */
async function settled(value: () => number): Promise<void> {
  for (let before = -1; before !== value(); await sleep(500)) before = value();
}

function busy(t: TestContext, count: number): void {
  for (let index = 0; index < count; index++) {
    const loop = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
    t.after(() => loop.kill('SIGKILL'));
  }
}

const contended = { running: 2, isContended: true };
const calm = { running: 2, isContended: false };
const fifo = 1;

test('beat: a thread on each processor wakes again and again while two containers contend, and none with one', async (t) => {
  const beat = makeBeat(t);
  beat.follow(calm);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  assert.equal(threadsOf(pid).length, 1, 'none that could beat');
  beat.follow(contended);
  const beating = () => threadsOf(pid).filter(({ sleeps }) => sleeps > 200).length;
  await until(() => {
    beat.follow(contended);
    return beating() === availableParallelism();
  });
  assert.deepEqual(new Set(threadsOf(pid).map(({ policy }) => policy)), new Set([fifo]));
  beat.follow(calm);
  await settled(() => beatsOf(pid));
  beat.follow({ running: 1, isContended: false });
  await until(() => programs().length === 0);
});

test('beat: it falls still when nobody says any more that it is needed', async (t) => {
  const beat = makeBeat(t);
  beat.follow(contended);
  await until(() => programs().length === 1);
  const [pid = ''] = programs();
  await until(() => beatsOf(pid) > 200);
  await settled(() => beatsOf(pid));
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

test('beat: a kernel whose ticks are as short has none, and is watched', async (t) => {
  const beat = makeBeat(t, 1000);
  for (let second = 0; second < 3; second++) beat.follow(contended);
  assert.deepEqual(programs(), []);
  beat.follow(calm);
  await until(() => programs().length === 1);
  for (let second = 0; second < 3; second++) beat.follow(contended);
  await sleep(200);
  const [pid = ''] = programs();
  assert.equal(threadsOf(pid).length, 1);
});

test('watch: it says once that somebody waits for a processor, each time it is asked to watch', {
  skip: existsSync('/proc/pressure/cpu') ? false : 'this kernel does not tell who waits (PSI)',
}, async (t) => {
  const beat = makeBeat(t);
  let words = 0;
  beat.listen(() => words++);
  beat.follow(calm);
  busy(t, 4 * availableParallelism());
  await until(() => words === 1);
  await sleep(500);
  assert.equal(words, 1, 'though they go on waiting');
  beat.follow(calm);
  await until(() => words === 2);
  beat.follow(contended);
  await sleep(500);
  assert.equal(words, 2, 'nor while it beats');
});
