import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { after, before, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { StepBench } from '../../engine/build-steps/testdata/step-bench.ts';
import {
  CacheSharingOpt,
  ExecOpSchema,
  MetaSchema,
  type MountSchema,
  MountType,
  NetMode,
  SecurityMode,
} from '../llb/ops.ts';
import type { Snapshot } from '../snapshots/snapshot.ts';
import { exec } from './exec.ts';
import { OperationBench } from './testdata/step-bench.ts';

let steps: StepBench;
let bench: OperationBench;
let image: Snapshot;

before(async () => {
  steps = await StepBench.open();
  bench = await OperationBench.open(steps.runner);
  image = { layers: [steps.image] };
});
after(async () => {
  bench.close();
  await steps.close();
});

type Mounts = MessageInitShape<typeof MountSchema>[];
const root = { input: 0n, dest: '/', output: 0n };

interface Change {
  mounts?: Mounts;
  inputs?: Snapshot[];
  meta?: MessageInitShape<typeof MetaSchema>;
  secretenv?: { ID: string; name: string }[];
  network?: NetMode;
  security?: SecurityMode;
}

const run = (script: string, { mounts = [], inputs = [image], meta, ...change }: Change = {}) => {
  const value = create(ExecOpSchema, {
    network: NetMode.NONE,
    ...change,
    mounts: [root, ...mounts],
    meta: create(MetaSchema, {
      args: ['/bin/sh', '-c', script],
      env: ['PATH=/bin'],
      cwd: '/',
      ...meta,
    }),
  });
  return bench.run(exec, { case: 'exec', value }, inputs);
};

/** A step that changes nothing is a layer all the same, and nothing is in it. */
function assertUnchanged(output: Snapshot | undefined, input: Snapshot): void {
  assert.deepEqual(output?.layers.slice(0, -1), input.layers);
  assert.deepEqual(readdirSync(topOf(output)), []);
}

const topOf = (snapshot: Snapshot | undefined) => snapshot?.layers.at(-1)?.directory ?? '';

test('what the process writes is the result, in one more layer', async () => {
  const [output] = await run('echo hello; echo x > /made; rm /var/data/seed');
  assert.equal(bench.output, 'hello\n');
  assert.equal(output?.layers.length, 2);
  assert.equal(output.layers[0], image.layers[0]);
  assert.deepEqual(readdirSync(topOf(output)).sort(), ['made', 'var']);
  const [unchanged] = await run('true');
  assertUnchanged(unchanged, image);
});

test('a process that fails is told as BuildKit tells it', async () => {
  await assert.rejects(run('echo "a\tb" >&2; exit 3'), {
    name: 'StepFailure',
    exitCode: 3,
    message:
      'process "/bin/sh -c echo \\"a\\tb\\" >&2; exit 3" did not complete successfully: exit code: 3',
  });
  const [output] = await run('exit 3', { meta: { validExitCodes: [3] } });
  assertUnchanged(output, image);
  await assert.rejects(run('true', { meta: { validExitCodes: [3] } }), /exit code: 0$/);
  await assert.rejects(run('', { meta: { args: ['/no/such'] } }), {
    name: 'StepFailure',
    exitCode: 127,
  });
  assert.deepEqual(readdirSync(join(bench.directory, 'cache/work')), []);
});

test('directory, user, proxies, hosts and limits of the operation hold', async () => {
  await run('pwd; id -un; echo $http_proxy $NO_PROXY; hostname; grep there /etc/hosts; ulimit -n', {
    meta: {
      cwd: '/var',
      user: 'web',
      hostname: 'builder',
      proxyEnv: { httpProxy: 'http://p:1', noProxy: 'local' },
      extraHosts: [{ Host: 'there', IP: '10.0.0.9' }],
      ulimit: [{ Name: 'nofile', Soft: 99n, Hard: 100n }],
    },
  });
  assert.equal(bench.output, '/var\nweb\nhttp://p:1 local\nbuilder\n10.0.0.9\tthere\n99\n');
});

test('mounts have outputs of their own, or none', async () => {
  const source = bench.tree((directory) => writeFileSync(join(directory, 'file'), 'in\n'));
  const outputs = await run('cat /in/file; echo more >> /out/file; echo lost > /scratch/x', {
    inputs: [image, source],
    mounts: [
      { input: 1n, dest: '/in', output: -1n, readonly: true },
      { input: 1n, dest: '/out', output: 1n },
      { input: -1n, dest: '/scratch', output: -1n },
      { input: 1n, dest: '/same', output: 2n, readonly: true },
    ],
  });
  assert.equal(bench.output, 'in\n');
  assertUnchanged(outputs[0], image);
  assert.equal(readFileSync(join(topOf(outputs[1]), 'file'), 'utf8'), 'in\nmore\n');
  assert.deepEqual(outputs[2], source);
});

test('a cache is kept for the next step, and begins with what its input has', async () => {
  const seed = bench.tree((directory) => writeFileSync(join(directory, 'seed'), 'seed\n'));
  const mounts = (input: bigint, id: string): Mounts => [
    {
      input,
      dest: '/cache',
      output: -1n,
      mountType: MountType.CACHE,
      cacheOpt: { ID: id, sharing: CacheSharingOpt.LOCKED },
    },
  ];
  for (const round of ['1\n', '1\n2\n']) {
    const [output] = await run(
      'n=$(cat /cache/count 2>/dev/null | wc -l); echo $((n + 1)) >> /cache/count; cat /cache/count',
      { mounts: mounts(-1n, 'counter') },
    );
    assert.equal(bench.output, round);
    assertUnchanged(output, image);
  }
  await run('cat /cache/seed; echo y > /cache/kept', {
    inputs: [image, seed],
    mounts: mounts(1n, 'seeded'),
  });
  assert.equal(bench.output, 'seed\n');
  await run('cat /cache/seed /cache/kept', { inputs: [image, seed], mounts: mounts(1n, 'seeded') });
  assert.equal(bench.output, 'seed\ny\n');
  assert.equal(existsSync(join(topOf(seed), 'kept')), false);
});

test('secrets come from the client, as files and variables', async () => {
  bench.secrets.set('key', 'secret');
  const secret = (ID: string, optional = false): Mounts => [
    {
      dest: '/run/secrets/key',
      mountType: MountType.SECRET,
      secretOpt: { ID, mode: 0o400, optional },
    },
  ];
  const [output] = await run('cat /run/secrets/key; echo $KEY', {
    mounts: secret('key'),
    secretenv: [{ ID: 'key', name: 'KEY' }],
  });
  assert.equal(bench.output, 'secretsecret\n');
  assertUnchanged(output, image);
  await run('ls /run/secrets 2>&1', { mounts: secret('none', true) }).catch(() => {});
  assert.match(bench.output, /No such file/);
  await assert.rejects(run('true', { mounts: secret('none') }), /secret none: not found/);
});

test('an ssh agent answers in the step', async () => {
  const mounts: Mounts = [
    {
      dest: '/agent',
      mountType: MountType.SSH,
      SSHOpt: { ID: 'default', mode: 0o600 },
    },
  ];
  await assert.rejects(run('true', { mounts }), /no SSH key "default" forwarded from the client/);
  bench.sshAgent = async () => {
    const [ours, theirs] = duplexPair();
    theirs.on('data', (data) => theirs.end(`${data} answered`));
    return ours;
  };
  const heard = Promise.withResolvers<string>();
  bench.heard = heard.resolve;
  const running = run('stat -c %F /agent; sleep 1000', { mounts });
  assert.equal(await heard.promise, 'socket\n');
  assert.equal(await steps.ask('/agent', 'asked'), 'asked answered');
  bench.abort.abort(new Error('heard'));
  await assert.rejects(running, /heard/);
  bench.abort = new AbortController();
});

test('the machine’s network and rights need the client’s consent', async () => {
  const insecure = { security: SecurityMode.INSECURE };
  await assert.rejects(run('true', insecure), /security.insecure is not allowed/);
  await assert.rejects(run('true', { network: NetMode.HOST }), /network.host is not allowed/);
  bench.entitlements.add('security.insecure').add('network.host');
  await run('mount -t tmpfs t /tmp && echo mounted', { ...insecure, network: NetMode.HOST });
  assert.equal(bench.output, 'mounted\n');
});

test('an abort discards what was written', async () => {
  const running = run('echo x > /made; sleep 1000');
  bench.abort.abort(new Error('gone'));
  await assert.rejects(running, /gone/);
  bench.abort = new AbortController();
  assert.deepEqual(readdirSync(join(bench.directory, 'cache/work')), []);
});
