/** A container's life: output, exit, signals, stdin, terminal, log, and what a failure leaves. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../e2e/until.ts';
import { CortenError } from '../errors.ts';
import { newFilesystem } from '../kernel/mount.ts';
import type { PrepareRequest } from './runtime.ts';
import { StartError } from './start-error.ts';
import { readLog, TestBench, testProcess, testSpec } from './testdata/test-container.ts';

/** `remapped`: with user namespaces. */
export function containerSuite(remapped: boolean): void {
  let bench: TestBench;
  before(async () => {
    bench = await TestBench.open({ remapped });
  });
  after(() => bench.close());

  const shell = (script: string) => testSpec(testProcess(['/bin/sh', '-c', script]));

  test('output of both streams and the exit code arrive', async () => {
    const { exit, stdout, stderr } = await bench.run(shell('echo out; echo err >&2; exit 42'));
    assert.equal(stdout, 'out\n');
    assert.equal(stderr, 'err\n');
    assert.equal(exit.exitCode, 42);
    assert.equal(exit.signal, undefined);
    assert.ok(Math.abs(exit.finishedAt.getTime() - Date.now()) < 60_000);
  });

  test('the process is PID 1 and sees nothing but itself', async () => {
    const { stdout } = await bench.run(shell('echo $$; ls /proc | grep -c "^[0-9]"; hostname'));
    assert.deepEqual(stdout.split('\n').slice(0, 1), ['1']);
    assert.ok(Number(stdout.split('\n')[1]) <= 4);
    assert.equal(stdout.split('\n')[2], 'tester');
  });

  test('a signal reaches the process, and the exit record says so', async () => {
    const { running } = await bench.start(shell('sleep 1000'));
    running.signal(9);
    const exit = await running.exited;
    assert.equal(exit.exitCode, 137);
    assert.equal(exit.signal, 9);
    assert.throws(() => running.signal(15), { name: 'CortenError', kind: 'conflict' });
  });

  test('an ending that cannot be read is an ending all the same', async () => {
    const { running, run } = await bench.start(shell('read x'), { openStdin: true });
    mkdirSync(join(run, 'exit', 'taken'), { recursive: true });
    process.kill(running.shimPid, 'SIGKILL');
    assert.equal((await running.exited).exitCode, 255);
  });

  test('stdin is open until it is closed', async () => {
    const { running, log } = await bench.start(shell('cat; echo end'), { openStdin: true });
    const { stdinFd } = running.stdio;
    assert.ok(stdinFd !== undefined);
    writeSync(stdinFd, 'typed\n');
    await until(() => readLog(log).stdout === 'typed\n', 'the echo');
    running.closeStdin();
    closeSync(stdinFd);
    assert.equal((await running.exited).exitCode, 0);
    assert.equal(readLog(log).stdout, 'typed\nend\n');
  });

  test('without stdin the process reads end of file from its own /dev/null', async () => {
    const { stdout } = await bench.run(shell('cat; readlink /proc/self/fd/0'));
    assert.equal(stdout, '/dev/null\n');
  });

  test('a terminal has a name, a size, job control, and is the console', async () => {
    const spec = shell(
      'tty; stty size; [ -c /dev/console ] && echo console; read line; stty size; exit 5',
    );
    spec.process.terminal = true;
    spec.process.consoleSize = { height: 31, width: 97 };
    const { running, log } = await bench.start(spec);
    const { terminalFd } = running.stdio;
    assert.ok(terminalFd !== undefined);
    await until(() => readLog(log).stdout.includes('console'), 'the console');
    assert.match(readLog(log).stdout, /^\/dev\/pts\/0\r\n31 97\r\nconsole\r\n$/);
    running.resize(50, 120);
    writeSync(terminalFd, 'go\n');
    assert.equal((await running.exited).exitCode, 5);
    assert.match(readLog(log).stdout, /50 120/);
    closeSync(terminalFd);
  });

  test('Ctrl-C on the terminal interrupts the foreground program', async () => {
    const spec = shell(
      'trap "echo interrupted; exit 9" INT; echo ready; while :; do sleep 0.05; done',
    );
    spec.process.terminal = true;
    const { running, log } = await bench.start(spec);
    await until(() => readLog(log).stdout.includes('ready'), 'ready');
    writeSync(running.stdio.terminalFd!, '\x03');
    assert.equal((await running.exited).exitCode, 9);
    assert.match(readLog(log).stdout, /interrupted/);
    closeSync(running.stdio.terminalFd!);
  });

  test('all of a large output is in the log', async () => {
    const { stdout } = await bench.run(shell('seq 1 200000'));
    assert.equal(stdout.length, 1_288_895);
    assert.ok(stdout.endsWith('\n200000\n'));
  });

  test('the log rotates, and keeps only as many files as asked for', async () => {
    const place = bench.place();
    const { running, log } = await bench.start(
      shell('for i in $(seq 1 40); do seq 1 200; sleep 0.005; done'),
      {
        log: { directory: place.log, maxBytes: 4096, maxFiles: 3 },
      },
    );
    await running.exited;
    assert.deepEqual(readdirSync(log), []);
    const files = readdirSync(place.log).sort();
    assert.equal(files.length, 3);
    assert.notEqual(files[0], '00000001.log');
    assert.ok(readLog(place.log).stdout.endsWith('\n200\n'));
  });

  test('a second start goes on in the log of the first', async () => {
    const place = bench.place();
    const log = { directory: place.log, maxBytes: 0, maxFiles: 0 };
    await (await bench.start(shell('echo one'), { log })).running.exited;
    await (await bench.start(shell('echo two'), { log })).running.exited;
    assert.deepEqual(readdirSync(place.log), ['00000001.log']);
    assert.equal(readLog(place.log).stdout, 'one\ntwo\n');
  });

  test('a full disk costs log lines, never the container', async () => {
    // A file system of 64 KiB that is mounted nowhere.
    const tree = newFilesystem('tmpfs', [['size', '65536']], 0);
    const directory = `/proc/self/fd/${tree}`;
    const { exit, log } = await bench
      .start(shell('echo first; sleep 0.1; seq 1 60000; exit 11'), {
        log: { directory, maxBytes: 0, maxFiles: 0 },
      })
      .then(async ({ running, log }) => ({ exit: await running.exited, log }));
    assert.equal(exit.exitCode, 11);
    assert.deepEqual(readdirSync(log), []);
    // What was kept is whole records: readLog refuses anything else.
    const { stdout } = readLog(directory);
    assert.ok(stdout.startsWith('first\n'));
    assert.ok(stdout.length < 65536);
    closeSync(tree);
  });

  test('without a log the output is thrown away and the process runs on', async () => {
    const { running, log } = await bench.start(shell('seq 1 100000; exit 7'), { log: undefined });
    assert.equal((await running.exited).exitCode, 7);
    assert.deepEqual(readdirSync(log), []);
  });

  test('--init reaps orphans, forwards signals and passes the exit code on', async () => {
    const script =
      'cat /proc/1/comm; (sleep 0.05 &); trap "echo got; exit 4" TERM; echo ready; while :; do sleep 0.02; done';
    const { running, log } = await bench.start(shell(script), { init: true });
    await until(() => readLog(log).stdout.includes('ready'), 'ready');
    await sleep(200);
    running.signal(15);
    assert.equal((await running.exited).exitCode, 4);
    assert.equal(readLog(log).stdout, 'corten-shim\nready\ngot\n');
  });

  test('a command that is not there is exit code 127 in the docker CLI’s words', async () => {
    await assert.rejects(bench.run(testSpec(testProcess(['no-such-command']))), (error) => {
      assert.ok(error instanceof StartError);
      assert.equal(error.exitCode, 127);
      assert.match(error.message, /exec: "no-such-command": executable file not found in \$PATH/);
      return true;
    });
    await assert.rejects(bench.run(testSpec(testProcess(['/no/such']))), {
      exitCode: 127,
      message: /no such file or directory/,
    });
  });

  test('what cannot be executed is exit code 126', async () => {
    await assert.rejects(bench.run(testSpec(testProcess(['/etc/passwd']))), {
      exitCode: 126,
      message: /permission denied/,
    });
    await assert.rejects(bench.run(testSpec(testProcess(['/bin']))), { exitCode: 126 });
  });

  test('the working directory is made when the image lacks it', async () => {
    const spec = shell('pwd');
    spec.process.cwd = '/srv/new/place';
    assert.equal((await bench.run(spec)).stdout, '/srv/new/place\n');
  });

  test('a working directory that is a file is a mistake of the request', async () => {
    const spec = shell('pwd');
    spec.process.cwd = '/etc/passwd';
    await assert.rejects(bench.run(spec), {
      kind: 'invalid',
      message: /working directory "\/etc\/passwd"/,
    });
  });

  test('a directory over a file, a file over a directory, and bad options are mistakes too', async () => {
    const mounts = [
      { destination: '/etc/passwd', source: '/tmp', options: ['bind'] },
      { destination: '/tmp', source: '/etc/hostname', options: ['bind'] },
      { destination: '/x', type: 'tmpfs', options: ['size=enormous'] },
      { destination: '/x', type: 'no-such-filesystem' },
    ];
    for (const mount of mounts) {
      const spec = shell('true');
      spec.mounts.push(mount);
      await assert.rejects(
        bench.run(spec),
        { kind: 'invalid', message: /^cannot mount / },
        mount.destination,
      );
    }
  });

  test('files of the image can be read before the start', async () => {
    const { upper, work } = bench.place();
    const sandbox = await bench.runtime.prepare({
      spec: shell('true'),
      rootfs: { kind: 'overlay', lowers: [join(bench.root, 'image')], upper, work },
      cgroupPaths: new Map(),
      readFiles: ['/etc/passwd', '/etc/shadow'],
    });
    assert.deepEqual([...sandbox.files.keys()], ['/etc/passwd']);
    assert.match(sandbox.files.get('/etc/passwd') ?? '', /^root:x:0:0/);
    sandbox.close();
    sandbox.close();
  });

  test('an empty volume is filled with what the image has there', async () => {
    const { work: volume } = bench.place();
    const spec = shell('cat /var/data/seed; echo more > /var/data/new');
    spec.mounts.push({ destination: '/var/data', source: volume, options: ['rbind', 'idmap'] });
    const { stdout } = await bench.run(
      spec,
      {},
      { copyUp: [{ source: volume, target: '/var/data' }] },
    );
    assert.equal(stdout, 'from the image\n');
    assert.deepEqual(readdirSync(volume).sort(), ['new', 'seed']);
  });

  test('a directory serves as root too', async () => {
    const { upper } = bench.place();
    const rootfs = { kind: 'directory', path: join(bench.root, 'image') } as const;
    const { stdout } = await bench.run(shell('echo plain'), {}, { rootfs });
    assert.equal(stdout, 'plain\n');
    assert.deepEqual(readdirSync(upper), []);
  });

  /** Everything of this process and machine that a start could leave behind. */
  /** The shim was reaped, and what is made ahead for the next container is there. */
  const settled = (what: string) =>
    until(() => {
      const { children, spares } = footprint();
      const [only = ''] = children;
      return children.length === 1 && only.startsWith('corten-shim\0--warm') && spares === 1;
    }, `nothing of ${what} is left`);

  /** Another thread may have something open for a moment, at this one or at the other. */
  async function nothingMoreThan(before: ReturnType<typeof footprint>, what: string) {
    await settled(what);
    await until(() => {
      const now = footprint();
      return isDeepStrictEqual({ ...now, fds: Math.max(now.fds, before.fds) }, before);
    }, `${what} leaves nothing more than there was`);
  }

  function statusOf(pid: number): string {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  }

  function childPids(): string[] {
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
    return children.trim().split(' ').filter(Boolean);
  }

  function commandOf(pid: string): string {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return 'gone';
    }
  }

  function footprint() {
    const fds = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return 'gone';
      }
    });
    const namespaces = readdirSync('/proc/self/task').map((thread) => {
      try {
        return ['mnt', 'uts', 'ipc', 'net'].map((name) =>
          readlinkSync(`/proc/self/task/${thread}/ns/${name}`),
        );
      } catch {
        return ['gone'];
      }
    });
    const machine = readlinkSync('/proc/self/ns/net');
    return {
      spares: fds.filter((target) => target.startsWith('net:') && target !== machine).length,
      fds: fds.filter((target) => target !== 'gone' && !target.startsWith('/proc/')).length,
      children: childPids().map(commandOf),
      namespaces: [...new Set(namespaces.map((names) => names.join()))],
      mounts: readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .filter((line) => line.includes(bench.root)),
    };
  }

  test('a start that fails, wherever it fails, leaves nothing behind', async () => {
    const failing: [string, () => ReturnType<typeof shell>][] = [
      ['no command', () => testSpec(testProcess(['no-such-command']))],
      [
        'no bind source',
        () => {
          const spec = shell('true');
          spec.mounts.push({ destination: '/x', source: '/no/such/source', options: ['bind'] });
          return spec;
        },
      ],
      [
        'bad filesystem',
        () => {
          const spec = shell('true');
          spec.mounts.push({ destination: '/x', type: 'tmpfs', options: ['no-such-option=1'] });
          return spec;
        },
      ],
      [
        'bad capability',
        () => testSpec(testProcess(['true'], { capabilities: { bounding: ['CAP_MAGIC'] } })),
      ],
      [
        'bad sysctl value',
        () => testSpec(testProcess(['true']), { sysctl: { 'net.ipv4.ip_forward': 'x' } }),
      ],
      [
        'bad rlimit',
        () =>
          testSpec(
            testProcess(['true'], { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 9, hard: 8 }] }),
          ),
      ],
    ];
    await bench.run(shell('true'));
    await settled('the first container');
    const before = footprint();
    for (const [name, makeSpec] of failing) {
      await assert.rejects(bench.run(makeSpec()), (error) => error instanceof Error, name);
      await nothingMoreThan(before, name);
    }
  });

  test('a sandbox that is closed instead of launched leaves nothing behind', async () => {
    const { upper, work } = bench.place();
    await bench.run(shell('true'));
    await settled('the first container');
    const before = footprint();
    const sandbox = await bench.runtime.prepare({
      spec: shell('true'),
      rootfs: { kind: 'overlay', lowers: [join(bench.root, 'image')], upper, work },
      cgroupPaths: new Map(),
    });
    assert.notDeepEqual(footprint(), before);
    sandbox.close();
    await nothingMoreThan(before, 'the sandbox');
    assert.ok(existsSync(upper));
  });

  test('a process that was begun ends with a sandbox that is closed, and with one that cannot be made', async () => {
    await bench.run(shell('true'));
    await settled('the first container');
    const before = footprint();
    const { run, upper, work } = bench.place();
    const request = {
      spec: shell('true'),
      rootfs: { kind: 'overlay', lowers: [join(bench.root, 'image')], upper, work },
      cgroupPaths: new Map(),
      meanwhile: () => ({
        spec: shell('true'),
        runDirectory: run,
        placement: { procsFds: [] },
        openStdin: true,
        init: false,
      }),
    } satisfies PrepareRequest;
    const sandbox = await bench.runtime.prepare(request);
    await until(() => existsSync(join(run, 'pids')), 'it is begun');
    await sandbox.close();
    assert.deepEqual(readdirSync(run), ['alive']);
    await nothingMoreThan(before, 'the sandbox');
    const lost = { ...request.rootfs, lowers: ['/no/such/layer'] };
    await assert.rejects(bench.runtime.prepare({ ...request, rootfs: lost }));
    assert.deepEqual(readdirSync(run), ['alive']);
    await nothingMoreThan(before, 'the failure');
  });

  test('a shim that is killed just when it is given its work is missed by nobody', async () => {
    // Stopped, it is given its work and cannot begin it.
    const losing = async <T>(run: string, begin: () => Promise<T>): Promise<T> => {
      const isSpare = (pid: string) => commandOf(pid).startsWith('corten-shim\0--warm');
      await until(() => childPids().some(isSpare), 'there is a spare');
      const spare = Number(childPids().find(isSpare));
      process.kill(spare, 'SIGSTOP');
      await until(() => /^State:\tT/m.test(statusOf(spare)), 'it stands still');
      const started = begin();
      await until(() => existsSync(join(run, 'alive')), 'it has its work');
      process.kill(spare, 'SIGKILL');
      return started;
    };
    await bench.run(shell('true'));
    const { run } = bench.place();
    const { running, log } = await losing(run, () =>
      bench.start(shell('read x; echo here; exit 6'), { runDirectory: run, openStdin: true }),
    );
    const { run: execRun } = bench.place();
    const extra = await losing(execRun, () =>
      bench.runtime.exec(running, {
        process: testProcess(['/bin/sh', '-c', 'exit 7']),
        runDirectory: execRun,
        placement: { procsFds: [] },
        openStdin: false,
        seccomp: undefined,
      }),
    );
    assert.equal((await extra.exited).exitCode, 7);
    writeSync(running.stdio.stdinFd!, '\n');
    assert.equal((await running.exited).exitCode, 6);
    assert.equal(readLog(log).stdout, 'here\n');
    for (const fd of [extra.stdio.stdoutFd!, extra.stdio.stderrFd!, running.stdio.stdinFd!])
      closeSync(fd);
  });

  test('the shim that was started ahead is used, and one that was killed is missed by nobody', async () => {
    await bench.run(shell('true'));
    await settled('the first container');
    const [spare] = childPids();
    const { running: waiting } = await bench.start(shell('read x'), { openStdin: true });
    assert.equal(String(waiting.shimPid), spare);
    assert.match(commandOf(String(waiting.shimPid)), /^corten-shim\0(?!--warm)[^\0]+\0/);
    waiting.signal(9);
    await waiting.exited;
    await settled('the second container');
    const [killed] = childPids();
    process.kill(Number(killed), 'SIGKILL');
    // Until then it would take the work and do none of it.
    await until(
      () => / \(.*\) Z /.test(readFileSync(`/proc/${killed}/stat`, 'utf8')),
      'it has ended',
    );
    const { exit } = await bench.run(shell('exit 6'));
    assert.equal(exit.exitCode, 6);
  });

  test('many containers at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => bench.run(shell(`echo ${index}; exit ${index}`))),
    );
    for (const [index, { exit, stdout }] of results.entries()) {
      assert.equal(stdout, `${index}\n`);
      assert.equal(exit.exitCode, index);
    }
  });

  test('errors keep their kind across the launcher’s thread', async () => {
    const spec = shell('true');
    spec.mounts.push({ destination: '/x', source: '/no/such/source', options: ['bind'] });
    await assert.rejects(bench.run(spec), (error) => {
      assert.ok(error instanceof CortenError);
      assert.equal(error.kind, 'invalid');
      assert.match(error.message, /bind source path does not exist: \/no\/such\/source/);
      return true;
    });
  });
}
