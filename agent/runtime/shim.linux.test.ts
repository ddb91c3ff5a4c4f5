/** The shim takes its plan strictly: whatever is not exactly a plan is refused and runs nothing. */
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { constants as systemConstants } from 'node:os';
import { after, before, test } from 'node:test';
import { sealedFile } from '../kernel/memfd.ts';
import { spawn } from '../kernel/process.ts';
import { openProcfs } from '../kernel/procfs.ts';
import { AliveWatch, type ShimReport } from './alive-watch.ts';
import { encodePlan, type ShimConfig, ShimFd, type Step } from './plan.ts';
import { reapInBackground } from './reap.ts';
import { makeRunDirectory, readExit } from './run-directory.ts';
import type { ExitRecord } from './runtime.ts';
import { shimPath, TestBench } from './testdata/test-container.ts';

const { EPROTO, EINVAL } = systemConstants.errno;

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

const shimConfig: ShimConfig = {
  cloneFlags: 0,
  cgroupFd: undefined,
  pidNamespaceFd: undefined,
  input: false,
  output: false,
  terminal: false,
  moves: false,
  log: undefined,
};
const plan = (...steps: Step[]) => encodePlan(shimConfig, steps);
const start = plan();
const exec: Step = { do: 'exec', init: false, args: ['/bin/busybox', 'false'], env: [] };

/** One record with this tag and these bytes, as long as it says or not. */
function record(tag: number, bytes: Buffer, length = bytes.length): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(tag, 0);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
}

interface Outcome {
  report: ShimReport | undefined;
  exit: ExitRecord | undefined;
  run: string;
  /** What is in its run directory at the end. */
  left: string[];
}

/** What the shim reports of a plan, and the run directory that it leaves. */
async function outcome(bytes: Buffer): Promise<Outcome> {
  const { run } = bench.place();
  const { aliveReadFd, aliveWriteFd } = makeRunDirectory(run);
  const nothing = openSync('/dev/null', constants.O_RDWR);
  const program = sealedFile('shim', readFileSync(shimPath));
  const planFd = sealedFile('plan', bytes);
  const runFd = openSync(run, constants.O_RDONLY);
  const procFd = openProcfs();
  const table = new Array<number>(ShimFd.firstFree).fill(nothing);
  table[ShimFd.plan] = planFd;
  table[ShimFd.alive] = aliveWriteFd;
  table[ShimFd.runDirectory] = runFd;
  table[ShimFd.proc] = procFd;
  const pid = spawn(program, ['corten-shim', 'test'], table);
  for (const fd of [nothing, program, planFd, runFd, procFd, aliveWriteFd]) closeSync(fd);
  const alive = new AliveWatch(aliveReadFd);
  const [report, exit] = [await alive.report, await alive.exit];
  await alive.ended;
  reapInBackground(pid);
  return { report, exit, run, left: readdirSync(run).sort() };
}

const refused: [string, Buffer, step: number, errno: number][] = [
  ['an empty plan', Buffer.alloc(0), 0, EINVAL],
  ['half a header', start.subarray(0, 4), 0, EPROTO],
  ['a first record that is another', plan(exec).subarray(start.length), 0, EPROTO],
  ['a first record that is too short', record(1, Buffer.alloc(32)), 0, EPROTO],
  ['another version', record(1, Buffer.alloc(40, 9)), 0, EPROTO],
  [
    'a length beyond the end',
    Buffer.concat([start, record(13, Buffer.from('/\0'), 4096)]),
    1,
    EPROTO,
  ],
  [
    'an enormous length',
    Buffer.concat([start, record(13, Buffer.alloc(8), 0xffff_ffff)]),
    1,
    EPROTO,
  ],
  ['an unknown tag', Buffer.concat([start, record(99, Buffer.alloc(0))]), 1, EPROTO],
  ['a string without an end', Buffer.concat([start, record(13, Buffer.from('/tmp'))]), 1, EPROTO],
  [
    'bytes after a step’s own',
    Buffer.concat([start, record(13, Buffer.from('/\0more'))]),
    1,
    EPROTO,
  ],
  ['a number that is cut short', Buffer.concat([start, record(5, Buffer.alloc(2))]), 1, EPROTO],
  [
    'more arguments than there are',
    Buffer.concat([start, record(25, Buffer.alloc(12, 0x7f))]),
    1,
    EPROTO,
  ],
  [
    'half an instruction of a filter',
    plan({ do: 'seccomp', flags: 0, filter: Buffer.alloc(12) }),
    1,
    EPROTO,
  ],
  ['no exec at the end', plan({ do: 'chdir', path: '/' }), 2, EPROTO],
];

for (const [name, bytes, step, errno] of refused)
  test(`refused: ${name}`, async () => {
    const { report, left } = await outcome(bytes);
    assert.deepEqual(report, { kind: 'failed', step, errno });
    assert.deepEqual(left, ['alive']);
  });

test('a good plan runs, and leaves pids and the exit record', async () => {
  const { report, left } = await outcome(plan(exec));
  assert.equal(report?.kind, 'started');
  assert.deepEqual(left, ['alive', 'exit', 'pids']);
});

test('how the program ended is told as it is written down', async () => {
  const failed = await outcome(plan(exec));
  assert.equal(failed.exit?.exitCode, 1);
  assert.equal(failed.exit.signal, undefined);
  assert.deepEqual(failed.exit, readExit(failed.run));
  const kill: Step = { do: 'exec', init: false, args: ['/bin/sh', '-c', 'kill -9 $$'], env: [] };
  const killed = await outcome(plan(kill));
  assert.deepEqual([killed.exit?.exitCode, killed.exit?.signal], [137, 9]);
  assert.deepEqual(killed.exit, readExit(killed.run));
});

test('a step that fails is named, and what comes after it does not run', async () => {
  const { report } = await outcome(plan({ do: 'chdir', path: '/no/such/directory' }, exec));
  assert.deepEqual(report, { kind: 'failed', step: 1, errno: systemConstants.errno.ENOENT });
});
