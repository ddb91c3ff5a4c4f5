/** Steps of a build: what they are given, what they leave, and how they end. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import type { StepMount } from '../../builder/steps/step-runner.ts';
import { command } from '../../network/testdata/sandbox.ts';
import { containersDirectory, runsDirectory } from '../paths.ts';
import { StepBench } from './testdata/step-bench.ts';

export function stepRunnerSuite(remapped: boolean): void {
  let bench: StepBench;
  before(async () => {
    bench = await StepBench.open({ remapped });
  });
  after(() => bench.close());

  /** Nothing is left but the layer. */
  const assertClean = () => {
    const { paths, cgroups } = bench.context;
    assert.deepEqual(readdirSync(containersDirectory(paths)), []);
    assert.deepEqual(readdirSync(runsDirectory(paths)), []);
    assert.deepEqual(cgroups.list(), []);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(bench.root), false);
    assert.deepEqual(bench.reports, []);
  };

  const tree = (directory: string): string[] =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();

  test('a process runs, is heard, and leaves its files alone', async () => {
    const outcome = await bench.run('echo out; echo err >&2; echo x > /made; exit 3');
    const { exitCode, endedByLimit, stdout, stderr, upper } = outcome;
    assert.deepEqual(
      { exitCode, endedByLimit, stdout, stderr },
      { exitCode: 3, endedByLimit: undefined, stdout: 'out\n', stderr: 'err\n' },
    );
    assert.deepEqual(tree(upper), ['made']);
    const { uid, gid } = lstatSync(join(upper, 'made'));
    assert.deepEqual([uid, gid], [0, 0]);
    assertClean();
  });

  test('the machine’s names, files and processes are not seen', async () => {
    const { stdout } = await bench.run('hostname; echo $$; env | sort; cat /etc/hosts; id -u', {
      extraHosts: ['registry:10.1.2.3'],
    });
    const lines = stdout.split('\n');
    assert.deepEqual(lines.slice(0, 2), ['buildkitsandbox', '1']);
    assert.match(stdout, /^HOME=\/root$/m);
    assert.doesNotMatch(stdout, /^HOSTNAME=/m);
    assert.match(stdout, /^10\.1\.2\.3\tregistry$/m);
  });

  test('mount points leave no trace in the layer, also in an image that has none', async () => {
    const bare = bench.directory();
    mkdirSync(join(bare, 'bin'));
    mkdirSync(join(bare, 'opt'));
    symlinkSync('/opt/deep', join(bare, 'link'));
    writeFileSync(join(bare, 'bin/busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
    const mounts: StepMount[] = [
      { kind: 'tmpfs', target: '/tmp', readOnly: false },
      {
        kind: 'directory',
        target: '/link/cache',
        path: bench.directory(),
        selector: '',
        readOnly: false,
      },
      {
        kind: 'file',
        target: '/run/secrets/key',
        content: Buffer.from('k'),
        uid: 0,
        gid: 0,
        mode: 0o400,
        readOnly: true,
      },
    ];
    const { exitCode, stdout, stderr, upper } = await bench.run('', {
      rootfs: { lowers: [bare], ...bench.layers() },
      process: {
        args: [
          '/bin/busybox',
          'sh',
          '-c',
          'busybox cat /etc/hosts /run/secrets/key; busybox stat -c %a /tmp; busybox ls -d /opt/deep/cache',
        ],
        env: [],
        workingDirectory: '/',
        user: '',
      },
      mounts,
    });
    assert.equal(stderr, '');
    assert.equal(exitCode, 0);
    assert.match(stdout, /localhost\n.*k1777\n\/opt\/deep\/cache\n$/s);
    assert.deepEqual(tree(upper), []);
    assertClean();
  });

  test('what a step writes beside a mount point stays', async () => {
    const cache = bench.directory();
    const { upper } = await bench.run('echo a > /root/.cache/go/in; echo b > /root/.cache/beside', {
      mounts: [
        {
          kind: 'directory',
          target: '/root/.cache/go',
          path: cache,
          selector: '',
          readOnly: false,
        },
      ],
    });
    assert.deepEqual(tree(upper), ['root', 'root/.cache', 'root/.cache/beside']);
    assert.equal(readFileSync(join(cache, 'in'), 'utf8'), 'a\n');
    assert.equal(lstatSync(join(cache, 'in')).uid, 0);
  });

  test('a root of no layers at all has what the runtime mounts', async () => {
    const layers = bench.layers();
    writeFileSync(join(layers.upper, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
    const { exitCode, stdout } = await bench.run('', {
      rootfs: { lowers: [], ...layers },
      process: { args: ['/busybox', 'ls', '/'], env: [], workingDirectory: '/', user: '' },
    });
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'busybox\ndev\netc\nproc\nsys\n');
    assert.deepEqual(tree(layers.upper), ['busybox']);
  });

  test('trees are mounted, whole and in part, to read and to write', async () => {
    const [one, two] = [bench.directory(), bench.directory()];
    mkdirSync(join(one, 'src/deep'), { recursive: true });
    writeFileSync(join(one, 'src/deep/file'), 'lower\n');
    writeFileSync(join(two, 'single'), 'single\n');
    symlinkSync('/src/deep', join(two, 'inside'));
    symlinkSync('../../../../etc/passwd', join(two, 'outside'));
    const snapshot = {
      layers: [
        { id: 'one', directory: one },
        { id: 'two', directory: two },
      ],
    };
    const writable = bench.layers();
    const readOnly = true;
    const { stdout, stderr } = await bench.run(
      'cat /whole/src/deep/file /part/file /etc/one; echo more > /written/file; cat /written/file; touch /part/x',
      {
        mounts: [
          { kind: 'tree', target: '/whole', snapshot, selector: '/', readOnly },
          { kind: 'tree', target: '/part', snapshot, selector: '/inside', readOnly },
          { kind: 'tree', target: '/etc/one', snapshot, selector: 'single', readOnly },
          {
            kind: 'tree',
            target: '/written',
            snapshot,
            selector: '/src/deep',
            readOnly: false,
            writable,
          },
          { kind: 'tree', target: '/nothing', snapshot: { layers: [] }, selector: '', readOnly },
        ],
      },
    );
    assert.equal(stdout, 'lower\nlower\nsingle\nmore\n');
    assert.match(stderr, /\/part\/x: Read-only file system/);
    assert.deepEqual(tree(writable.upper), ['src', 'src/deep', 'src/deep/file']);
    await assert.rejects(
      bench.run('true', {
        mounts: [{ kind: 'tree', target: '/x', snapshot, selector: '/outside', readOnly }],
      }),
      /failed to mount \/outside: no such file or directory/,
    );
    assertClean();
  });

  test('a secret is in memory only, with its owner and mode', async () => {
    const { stdout, upper } = await bench.run('stat -c "%u %g %a" /s; stat -f -c %T /s; cat /s', {
      process: {
        args: [
          '/bin/sh',
          '-c',
          'stat -c "%u %g %a" /s; cat /s; grep " /s " /proc/mounts | cut -d" " -f3',
        ],
        env: ['PATH=/bin'],
        workingDirectory: '/',
        user: 'web',
      },
      mounts: [
        {
          kind: 'file',
          target: '/s',
          content: Buffer.from('secret\n'),
          uid: 1000,
          gid: 7,
          mode: 0o440,
          readOnly: true,
        },
      ],
    });
    assert.equal(stdout, '1000 7 440\nsecret\ntmpfs\n');
    assert.deepEqual(tree(upper), []);
  });

  test('a socket leads to whoever answers it', async () => {
    const abort = new AbortController();
    const heard = Promise.withResolvers<string>();
    const running = bench.run('stat -c "%u %a %F" /run/agent.sock; sleep 1000', {
      signal: abort.signal,
      output: (_, data) => heard.resolve(data.toString()),
      mounts: [
        {
          kind: 'socket',
          target: '/run/agent.sock',
          ...{ uid: 7, gid: 0, mode: 0o600, readOnly: false },
          connect: async () => {
            const [ours, theirs] = duplexPair();
            theirs.on('data', (data) => theirs.end(`${data} answered`));
            return ours;
          },
        },
      ],
    });
    assert.equal(await heard.promise, '7 600 socket\n');
    for (const word of ['one', 'two'])
      assert.equal(await bench.ask('/run/agent.sock', word), `${word} answered`);
    abort.abort(new Error('heard'));
    await assert.rejects(running, /heard/);
    assertClean();
  });

  test('output that nobody takes holds the process back', async () => {
    let taken = 0;
    let isBusy = false;
    const { exitCode } = await bench.run('head -c 3000000 /dev/zero', {
      output: async (_, data) => {
        assert.equal(isBusy, false);
        isBusy = true;
        await new Promise((resolve) => setImmediate(resolve));
        taken += data.length;
        isBusy = false;
      },
    });
    assert.equal(exitCode, 0);
    assert.equal(taken, 3_000_000);
  });

  test('an abort ends the step at once, with all that it started', async () => {
    const abort = new AbortController();
    const running = bench.run('sleep 1000 & echo on; sleep 1000', {
      signal: abort.signal,
      output: () => abort.abort(new Error('enough')),
    });
    await assert.rejects(running, /enough/);
    assertClean();
  });

  test('a command that is not there is named', async () => {
    await assert.rejects(
      bench.run('', {
        process: { args: ['/no/such'], env: [], workingDirectory: '/', user: '' },
      }),
      { name: 'StartError', exitCode: 127 },
    );
    assertClean();
  });

  test('the limit that ended a step is named', async () => {
    const memory = await bench.run('head -c 200m /dev/zero | tail', {
      limits: { memory: { maxBytes: 32 * 1024 ** 2 } },
    });
    assert.equal(memory.endedByLimit, 'memory');
    const pids = await bench.run('for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; wait', {
      limits: { pids: 4 },
    });
    assert.equal(pids.endedByLimit, 'pids');
    assert.notEqual(pids.exitCode, 0);
    assertClean();
  });

  test('the network is the bridge’s, none, or the machine’s', async () => {
    const addresses = async (network: 'default' | 'none' | 'host') =>
      (await bench.run('ip -o addr | cut -d" " -f2,3,7', { network })).stdout;
    assert.match(await addresses('default'), /eth0 +172\./);
    assert.doesNotMatch(await addresses('none'), /eth0/);
    command('ip link add onlyhere type bridge');
    assert.match((await bench.run('ip link', { network: 'host' })).stdout, /onlyhere/);
    command('ip link del onlyhere');
    assertClean();
  });

  test('only an insecure step has the machine’s rights', async () => {
    const rights = async (security: 'sandbox' | 'insecure') =>
      (await bench.run('grep CapEff /proc/self/status', { security })).stdout;
    assert.match(await rights('sandbox'), /00000000a80425fb/);
    // The test's own may be fewer than there are.
    const own = /^CapEff:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    assert.equal((await rights('insecure')).trim(), own?.[0]);
  });
}
