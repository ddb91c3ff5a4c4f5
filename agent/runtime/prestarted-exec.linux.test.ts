/** An exec that is prestarted before anybody asks for it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrestartedExec, ProcessStdio, RunningProcess } from './runtime.ts';
import { StartError } from './start-error.ts';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

let bench: TestBench;
let container: RunningProcess;
before(async () => {
  bench = await TestBench.open();
  container = (await bench.start(testSpec(testProcess(['sleep', '1000'])))).running;
});
after(async () => {
  container.signal(9);
  await container.exited;
  await bench.close();
});

/** With a name that no other process has among its words. */
const newRunDirectory = () => join(bench.place().run, randomUUID());

/** Begins it as soon as a shim waits for work, which is a moment after the last start. */
async function begin(args: string[], runDirectory: string): Promise<PrestartedExec> {
  const request = {
    process: testProcess(args),
    runDirectory,
    placement: { procsFds: [] },
    openStdin: false,
    seccomp: undefined,
  };
  for (let attempt = 0; attempt < 3000; attempt++) {
    const prestarted = bench.runtime.prestartExec(container, request);
    if (prestarted !== undefined) return prestarted;
    await sleep(20);
  }
  throw new Error('no shim was started ahead');
}

/** The shim that has this run directory's name among its words, once it has taken its work. */
function shimOf(runDirectory: string): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => wordsOf(pid).includes(basename(runDirectory)));
}

async function waitingShimOf(runDirectory: string): Promise<number> {
  for (let attempt = 0; attempt < 3000; attempt++) {
    const pid = shimOf(runDirectory);
    if (pid !== undefined) return pid;
    await sleep(20);
  }
  throw new Error('no shim has taken the work');
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended since the list was read.
    return [];
  }
}

async function readAll(fd: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of new Socket({ fd, readable: true, writable: false })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const openDescriptors = () => readdirSync('/proc/self/fd').length;

test('it has no process before it is finished, and then is like any other', async () => {
  const run = newRunDirectory();
  const prestarted = await begin(['/bin/sh', '-c', 'hostname; exit 6'], run);
  const shim = await waitingShimOf(run);
  assert.equal(readFileSync(`/proc/${shim}/task/${shim}/children`, 'utf8'), '');
  assert.ok(!existsSync(join(run, 'pids')));
  const running = await prestarted.finish();
  assert.ok(running !== undefined);
  assert.equal(running.shimPid, shim);
  const [out, err, { exitCode }] = await Promise.all([
    readAll(running.stdio.stdoutFd!),
    readAll(running.stdio.stderrFd!),
    running.exited,
  ]);
  assert.deepEqual({ out, err, exitCode }, { out: 'tester\n', err: '', exitCode: 6 });
});

test('who takes its ends of stdio while it is on its way has them, whether it runs or not', async () => {
  const taken: (number | undefined)[] = [];
  const take = (stdio: ProcessStdio) => {
    taken.push(stdio.stdoutFd, stdio.stderrFd);
    delete stdio.stdoutFd;
    delete stdio.stderrFd;
  };
  const running = await (await begin(['hostname'], newRunDirectory())).finish(take);
  assert.deepEqual(running?.stdio, {});
  const failing = await begin(['nothing-here'], newRunDirectory());
  await assert.rejects(failing.finish(take));
  const texts = await Promise.all(taken.map((fd) => readAll(fd!)));
  assert.deepEqual(texts, ['tester\n', '', '', '']);
});

test('given up, it leaves no process and no descriptor', async () => {
  const run = newRunDirectory();
  const prestarted = await begin(['true'], run);
  const shim = await waitingShimOf(run);
  const before = openDescriptors();
  await prestarted.discard();
  assert.equal(shimOf(run), undefined);
  assert.deepEqual(
    wordsOf(shim).filter((word) => word !== ''),
    [],
  );
  // The gate, and the agent's ends of stdout, stderr and `alive`.
  assert.equal(openDescriptors(), before - 4);
});

test('a shim that was killed at its gate says nothing, and the exec can be done anew', async () => {
  const run = newRunDirectory();
  const prestarted = await begin(['true'], run);
  const before = openDescriptors();
  process.kill(await waitingShimOf(run), 'SIGKILL');
  assert.equal(await prestarted.finish(), undefined);
  assert.equal(openDescriptors(), before - 4);
});

test('why its program cannot be executed comes as it does otherwise', async () => {
  const prestarted = await begin(['nothing-here'], newRunDirectory());
  await assert.rejects(prestarted.finish(), (error) => {
    assert.ok(error instanceof StartError);
    assert.equal(error.exitCode, 127);
    return true;
  });
});
