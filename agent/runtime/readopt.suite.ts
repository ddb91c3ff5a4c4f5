/** The agent is killed; the containers, their logs and their exit records are not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { until } from '../e2e/until.ts';
import { makeFifo } from '../kernel/files.ts';
import type { ExitRecord, RunningProcess } from './runtime.ts';
import { readLog, TestBench, testProcess, testSpec } from './testdata/test-container.ts';

/** `remapped`: with user namespaces. */
export function adoptSuite(remapped: boolean): void {
  let bench: TestBench;
  const roots: string[] = [];
  before(async () => {
    bench = await TestBench.open({ remapped });
  });
  after(async () => {
    await bench.close();
    for (const root of roots) rmSync(root, { recursive: true, force: true });
  });

  interface Started {
    pid: number;
    shimPid: number;
    run: string;
    log: string;
  }

  /** Starts containers in an agent of their own and kills that agent with SIGKILL. */
  async function orphans(
    ...wanted: { script: string; terminal?: boolean; stdin?: boolean }[]
  ): Promise<Started[]> {
    const program = join(import.meta.dirname, 'testdata/doomed-agent.ts');
    const agent = spawn(process.execPath, [program, JSON.stringify({ wanted, remapped })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(agent.stdout), 'line')) as [string];
    const { root, starts } = JSON.parse(line) as { root: string; starts: Started[] };
    roots.push(root);
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    return starts;
  }

  async function adopted(run: string): Promise<RunningProcess> {
    const found = await bench.runtime.readopt(run);
    assert.ok(found !== undefined && 'exited' in found, 'it still runs');
    return found;
  }

  /** For what reads a line before it ends. */
  function letGoOn({ stdio, exited }: RunningProcess): Promise<ExitRecord> {
    writeSync(stdio.stdinFd!, 'go\n');
    closeSync(stdio.stdinFd!);
    return exited;
  }

  async function ended(run: string): Promise<ExitRecord> {
    for (let attempt = 0; attempt < 500; attempt++) {
      const found = await bench.runtime.readopt(run);
      assert.ok(found !== undefined);
      if (!('exited' in found)) return found;
      await found.exited;
    }
    assert.fail('it never ended');
  }

  const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

  test('chatting containers lose no line, and their exits are told truly', async () => {
    const script =
      'i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit 7';
    const starts = await orphans(...Array.from({ length: 8 }, () => ({ script })));
    for (const { run, log } of starts) {
      assert.equal((await ended(run)).exitCode, 7);
      const expected = Array.from({ length: 60 }, (_, index) => `line ${index}\n`).join('');
      assert.equal(readLog(log).stdout, expected);
    }
  });

  test('what ended while nobody watched has its status', async () => {
    const starts = await orphans(
      { script: 'sleep 0.1; exit 9' },
      { script: 'exit 0' },
      { script: 'sleep 0.1; cat /proc/self/missing' },
    );
    const exits = await Promise.all(starts.map(({ run }) => ended(run)));
    assert.deepEqual(
      exits.map(({ exitCode }) => exitCode),
      [9, 0, 1],
    );
  });

  test('stdin and the terminal work again', async () => {
    const [piped, terminal] = await orphans(
      { script: 'read line; echo got $line; cat; exit 3', stdin: true },
      { script: 'read line; stty size; exit 4', terminal: true },
    );
    const first = await adopted(piped!.run);
    writeSync(first.stdio.stdinFd!, 'hello\n');
    first.closeStdin();
    closeSync(first.stdio.stdinFd!);
    assert.equal((await first.exited).exitCode, 3);
    assert.equal(readLog(piped!.log).stdout, 'got hello\n');

    const second = await adopted(terminal!.run);
    second.resize(44, 99);
    writeSync(second.stdio.terminalFd!, 'go\n');
    assert.equal((await second.exited).exitCode, 4);
    assert.match(readLog(terminal!.log).stdout, /44 99/);
    closeSync(second.stdio.terminalFd!);
  });

  test('signals reach an adopted process, and it takes an exec', async () => {
    const [started] = await orphans({ script: 'sleep 1000' });
    const found = await adopted(started!.run);
    assert.equal(found.pid, started!.pid);
    const inside = await bench.runtime.exec(found, {
      process: { user: { uid: 0, gid: 0 }, args: ['/bin/true'], env: [], cwd: '/' },
      runDirectory: bench.place().run,
      placement: { procsFds: [] },
      openStdin: false,
      seccomp: undefined,
    });
    assert.equal((await inside.exited).exitCode, 0);
    closeSync(inside.stdio.stdoutFd!);
    closeSync(inside.stdio.stderrFd!);
    found.signal(9);
    assert.equal((await found.exited).signal, 9);
  });

  test('the shim survives signals that end other programs', async () => {
    const [started] = await orphans({ script: 'read line; exit 8', stdin: true });
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE', 'SIGUSR2'] as const)
      process.kill(started!.shimPid, signal);
    assert.equal((await letGoOn(await adopted(started!.run))).exitCode, 8);
  });

  test('a container whose shim was killed is ended and said to have ended with 255', async () => {
    const [watched, unwatched] = await orphans({ script: 'sleep 1000' }, { script: 'sleep 1000' });
    const found = await adopted(watched!.run);
    process.kill(watched!.shimPid, 'SIGKILL');
    assert.equal((await found.exited).exitCode, 255);

    process.kill(unwatched!.shimPid, 'SIGKILL');
    await until(() => !isAlive(unwatched!.shimPid), 'its shim has ended');
    const exit = await bench.runtime.readopt(unwatched!.run);
    assert.ok(exit !== undefined && !('exited' in exit));
    assert.equal(exit.exitCode, 255);
    await until(() => !isAlive(watched!.pid) && !isAlive(unwatched!.pid), 'both have ended');
  });

  test('another process under a reused pid is left alone', async () => {
    const bystander = spawn('sleep', ['1000']);
    const run = mkdtempSync(join(bench.root, 'run-'));
    makeFifo(join(run, 'alive'), 0o600);
    writeFileSync(join(run, 'pids'), `${bystander.pid} 1 ${bystander.pid} 1\n`);
    const exit = await bench.runtime.readopt(run);
    assert.ok(exit !== undefined && !('exited' in exit));
    assert.equal(exit.exitCode, 255);
    assert.match(readFileSync(`/proc/${bystander.pid}/stat`, 'utf8'), /\) [SRD] /);
    bystander.kill();
  });

  test('a run directory that never held a process is nothing', async () => {
    assert.equal(await bench.runtime.readopt(mkdtempSync(join(bench.root, 'run-'))), undefined);
    assert.equal(await bench.runtime.readopt(join(bench.root, 'no-such')), undefined);
  });

  test('an agent that closes its runtime leaves the containers running', async () => {
    const other = await TestBench.open({ remapped });
    const { running, run } = await other.start(
      testSpec(testProcess(['/bin/sh', '-c', 'read line; exit 5'])),
      { openStdin: true },
    );
    await other.runtime.close();
    assert.ok(isAlive(running.pid));
    assert.equal((await letGoOn(await adopted(run))).exitCode, 5);
    closeSync(running.stdio.stdinFd!);
    rmSync(other.root, { recursive: true, force: true });
  });
}
