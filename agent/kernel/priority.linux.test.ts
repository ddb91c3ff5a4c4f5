import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'node:test';
import { changeTimeSlice } from './priority.ts';

/** In a process of its own: the test runner's priority stays as it is. */
const program = `
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { raiseThreadPriority } from ${JSON.stringify(`${import.meta.dirname}/priority.ts`)};
raiseThreadPriority(-3, 700);
const child = Number(execFileSync('nice', { encoding: 'utf8' }));
const slice = (text) => Number(/se.slice *: *(\\d+)/.exec(text)?.[1]);
const turns = [slice(readFileSync('/proc/self/sched', 'utf8')), slice(execFileSync('cat', ['/proc/self/sched'], { encoding: 'utf8' }))];
const source = "import os from 'node:os'; import wt from 'node:worker_threads'; wt.parentPort.postMessage(os.getPriority())";
const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
worker.once('message', (thread) => console.log(JSON.stringify({ own: getPriority(), child, thread, turns })));
`;

test('priority: the thread is favoured, and what it starts is not', () => {
  const output = execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  );
  const { turns, ...nice } = JSON.parse(output);
  assert.deepEqual(nice, { own: -3, child: 0, thread: 0 });
  assert.equal(turns[0], 700_000);
  assert.notEqual(turns[1], 700_000);
});

test('turns: changed for who has those, and left to who set others', async (t) => {
  const loop = spawn('sh', ['-c', 'sleep 60 & wait'], { stdio: 'ignore' });
  t.after(() => loop.kill());
  const pid = loop.pid!;
  const turns = () =>
    Number(/se.slice *: *(\d+)/.exec(readFileSync(`/proc/${pid}/sched`, 'utf8'))?.[1]);
  const kernels = turns();
  changeTimeSlice(pid, kernels / 1000 + 1, 100);
  assert.equal(turns(), kernels);
  changeTimeSlice(pid, kernels / 1000, 100);
  assert.equal(turns(), 100_000);
  assert.equal(getPriority(pid), 0, 'and nothing else of it');
  execFileSync('chrt', ['--fifo', '--pid', '1', String(pid)]);
  changeTimeSlice(pid, 100, 300);
  assert.match(execFileSync('chrt', ['--pid', String(pid)], { encoding: 'utf8' }), /SCHED_FIFO/);
  assert.throws(() => changeTimeSlice(0x3f_ff_ff, 100, 300), { code: 'ESRCH' });
});

test('priority: a session is favoured by its leader, and by nobody else', {
  skip: !existsSync('/proc/self/autogroup') && 'this kernel has no groups of sessions',
}, () => {
  const leader = `
import { readFileSync } from 'node:fs';
import { raiseSessionPriority } from ${JSON.stringify(`${import.meta.dirname}/priority.ts`)};
raiseSessionPriority(-4);
console.log(readFileSync('/proc/self/autogroup', 'utf8'));
`;
  const parameters = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'];
  const own = spawnSync('setsid', ['--wait', process.execPath, ...parameters, leader], {
    encoding: 'utf8',
  });
  assert.match(own.stdout, /nice -4$/m);
  const follower = spawnSync(
    'setsid',
    ['--wait', 'sh', '-c', '"$@"; :', 'sh', process.execPath, ...parameters, leader],
    { encoding: 'utf8' },
  );
  assert.match(follower.stdout, /nice 0$/m);
});
