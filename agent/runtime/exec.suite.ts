/** One more process inside a running container. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { OciProcess } from '../contract/oci-runtime.ts';
import { conflict } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { RunningProcess } from './runtime.ts';
import { defaultSeccompProfile } from './seccomp-profile.ts';
import { StartError } from './start-error.ts';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

/** `remapped`: with user namespaces. */
export function execSuite(remapped: boolean): void {
  let bench: TestBench;
  let container: RunningProcess;
  before(async () => {
    bench = await TestBench.open({ remapped });
    container = (await bench.start(testSpec(testProcess(['sleep', '1000'])))).running;
  });
  after(async () => {
    container.signal(9);
    await container.exited;
    await bench.close();
  });

  const shell = (script: string, changes: Partial<OciProcess> = {}) =>
    testProcess(['/bin/sh', '-c', script], changes);

  function start(process: OciProcess, openStdin = false): Promise<RunningProcess> {
    return bench.runtime.exec(container, {
      process,
      runDirectory: bench.place().run,
      placement: { procsFds: [] },
      openStdin,
      seccomp: undefined,
    });
  }

  async function readAll(fd: number): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of new Socket({ fd, readable: true, writable: false }))
      chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  /** All that was written on a terminal that nobody has open any more: the kernel then says EIO. */
  function readTerminal(fd: number): string {
    const buffer = Buffer.alloc(4096);
    let text = '';
    try {
      for (;;) text += buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch (error) {
      if (!hasErrno(error, 'EIO')) throw error;
    }
    return text;
  }

  async function run(process: OciProcess) {
    const running = await start(process);
    const [stdout, stderr, exit] = await Promise.all([
      readAll(running.stdio.stdoutFd!),
      readAll(running.stdio.stderrFd!),
      running.exited,
    ]);
    return { stdout, stderr, ...exit };
  }

  test('output comes by pipes, and the exit code by record', async () => {
    const { stdout, stderr, exitCode } = await run(shell('echo out; echo err >&2; exit 6'));
    assert.deepEqual(
      { stdout, stderr, exitCode },
      { stdout: 'out\n', stderr: 'err\n', exitCode: 6 },
    );
  });

  test('it is in every namespace of the container', async () => {
    const names = ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup'];
    const { stdout } = await run(
      shell(names.map((name) => `readlink /proc/self/ns/${name}`).join(';')),
    );
    const expected = names.map((name) => readlinkSync(`/proc/${container.pid}/ns/${name}`));
    assert.deepEqual(stdout.trim().split('\n'), expected);
  });

  test('it sees the container’s processes and root, and no descriptor beside stdio', async () => {
    const { stdout } = await run(
      shell('cat /proc/1/cmdline | tr "\\0" " "; echo; hostname; ls /proc/self/fd | xargs echo'),
    );
    assert.equal(stdout, 'sleep 1000 \ntester\n0 1 2 3\n');
  });

  test('stdin', async () => {
    const running = await start(shell('cat'), true);
    writeSync(running.stdio.stdinFd!, 'typed');
    closeSync(running.stdio.stdinFd!);
    const [stdout, stderr] = await Promise.all([
      readAll(running.stdio.stdoutFd!),
      readAll(running.stdio.stderrFd!),
    ]);
    assert.equal(stdout + stderr, 'typed');
    await running.exited;
  });

  test('a terminal is one of the container’s own', async () => {
    const running = await start(
      shell('tty; stty size; readlink /proc/self/fd/1', {
        terminal: true,
        consoleSize: { height: 40, width: 90 },
      }),
    );
    await running.exited;
    const text = readTerminal(running.stdio.terminalFd!);
    closeSync(running.stdio.terminalFd!);
    assert.match(text, /^(\/dev\/pts\/\d+)\r\n40 90\r\n\1\r\n$/);
  });

  test('identity and confinement are those of the request', async () => {
    const running = await bench.runtime.exec(container, {
      process: shell('id -u; id -g; pwd; grep -E "NoNewPrivs|Seccomp:|CapEff" /proc/self/status', {
        user: { uid: 1000, gid: 1000 },
        cwd: '/tmp',
      }),
      runDirectory: bench.place().run,
      placement: { procsFds: [] },
      openStdin: false,
      seccomp: defaultSeccompProfile([]),
    });
    const stdout = await readAll(running.stdio.stdoutFd!);
    closeSync(running.stdio.stderrFd!);
    await running.exited;
    assert.equal(
      stdout,
      '1000\n1000\n/tmp\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n',
    );
  });

  test('a program that is not there, and a directory that is not there', async () => {
    await assert.rejects(start(testProcess(['nothing-here'])), (error) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.exitCode, 127);
      return true;
    });
    await assert.rejects(start(shell('true', { cwd: '/no/where' })), {
      exitCode: 127,
      message:
        /chdir to cwd \("\/no\/where"\) set in config.json failed: no such file or directory/,
    });
  });

  test('it can be signalled, and ends with the container', async () => {
    const signalled = await start(shell('sleep 1000'));
    signalled.signal(15);
    assert.deepEqual((await signalled.exited).signal, 15);
    closeSync(signalled.stdio.stdoutFd!);
    closeSync(signalled.stdio.stderrFd!);

    const other = (await bench.start(testSpec(testProcess(['sleep', '1000'])))).running;
    const inside = await bench.runtime.exec(other, {
      process: shell('sleep 1000'),
      runDirectory: bench.place().run,
      placement: { procsFds: [] },
      openStdin: false,
      seccomp: undefined,
    });
    other.signal(9);
    assert.equal((await inside.exited).signal, 9);
    closeSync(inside.stdio.stdoutFd!);
    closeSync(inside.stdio.stderrFd!);
    await other.exited;
  });

  test('a container that has ended takes no exec', async () => {
    const { running } = await bench.start(testSpec(testProcess(['true'])));
    await running.exited;
    await assert.rejects(
      bench.runtime.exec(running, {
        process: shell('true'),
        runDirectory: bench.place().run,
        placement: { procsFds: [] },
        openStdin: false,
        seccomp: undefined,
      }),
      { kind: 'conflict' },
    );
  });

  test('a process that merely got the number of one that ended takes no exec', async () => {
    const gone = {
      pid: process.pid,
      signal: () => {
        throw conflict('the process is not running any more');
      },
    };
    const { run: runDirectory } = bench.place();
    await assert.rejects(
      bench.runtime.exec(gone, {
        process: shell('true'),
        runDirectory,
        placement: { procsFds: [] },
        openStdin: false,
        seccomp: undefined,
      }),
      { kind: 'conflict' },
    );
    assert.ok(!existsSync(join(runDirectory, 'pids')), 'nothing was started');
  });

  test('the container’s processes cannot look into one that is joining them (CVE-2016-9962)', async () => {
    const watch = 'while [ ! -e /tmp/enough ]; do ls -l /proc/[0-9]*/exe; done';
    // Without a user namespace nothing stops a tracer (docs/security.md, "Known and left").
    const names = remapped ? ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'] : [];
    const capabilities = { bounding: names, effective: names, permitted: names };
    const watching = run(shell(`mkdir -p /tmp; ${watch}`, { capabilities }));
    // A long search keeps the joining process where only its being undumpable protects it: it has the
    // container's privileges already, and is not the container's program yet.
    const env = [`PATH=${'/none:'.repeat(20_000)}`];
    const searching = testProcess(['nowhere'], { env, capabilities });
    for (let join = 0; join < 5; join++) await assert.rejects(run(searching), StartError);
    await run(shell('touch /tmp/enough'));
    const { stdout } = await watching;
    assert.match(stdout, /busybox/);
    assert.doesNotMatch(stdout, /memfd|shim/);
  });

  test('the shim is not among the container’s processes', async () => {
    const { stdout } = await run(shell('grep -l corten-shim /proc/[0-9]*/comm; echo none'));
    assert.equal(stdout, 'none\n');
  });
}
