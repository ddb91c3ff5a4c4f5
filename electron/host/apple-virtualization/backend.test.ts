/** The contract of machines, and what else goes well or wrong with vfkit, on a stand-in of it. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EngineClient } from '../engine-client.ts';
import { createMachine } from '../machine/lifecycle.ts';
import { machineSuite } from '../machine/machine.suite.ts';
import { appleBackend } from './backend.ts';
import { vfkitArguments } from './command-line.ts';
import { vfkitFailure } from './failures.ts';
import type { AppleMachineOptions } from './session.ts';
import { Mac, type MacFacts, writeImage } from './testdata/mac.ts';

machineSuite('apple', {
  stages: ['prepare', 'image', 'disks', 'vm', 'boot'],
  hangsAt: ['vm', 'boot'],
  failsAt: ['image', 'vm', 'boot'],
  lostAt: 'vm',
  async make() {
    const mac = new Mac();
    return {
      machine: mac.machine,
      kill: async () => {
        for (const pid of mac.pids()) process.kill(pid, 'SIGKILL');
      },
      leftovers: () => [
        ...mac.pids().map((pid) => `vfkit ${pid}`),
        ...['vfkit.sock', 'ssh.sock'].filter((name) => existsSync(join(mac.base, 'run', name))),
      ],
      hangAt: (stage) => mac.behave(stage === 'vm' ? { mute: true } : { console: ['booting'] }),
      failAt(stage) {
        if (stage === 'image') {
          rmSync(join(mac.directory, 'images'), { recursive: true });
          writeFileSync(join(mac.base, 'image', 'root.erofs'), 'something else');
        } else if (stage === 'vm') mac.behave({ dies: 'it rains\n' });
        else mac.behave({ console: ['Kernel panic - not syncing: VFS: no root'] });
      },
      heal() {
        mac.behave({});
        writeImage(join(mac.base, 'image'), 'one');
      },
      remove: () => mac[Symbol.asyncDispose](),
    };
  },
});

test('the whole command line', () => {
  const words = vfkitArguments({
    cpus: 4,
    memoryBytes: 2 * 1024 ** 3,
    kernel: '/i/Image',
    initrd: '/i/initrd',
    kernelArguments: ['quiet', 'a=1,2'],
    rootImage: '/i/root.erofs',
    dataDisk: '/m/data.raw',
    seed: '/m/seed.img',
    consoleLog: '/m/console.log',
    controlSocket: '/r/vfkit.sock',
    sshSocket: '/r/ssh.sock',
  });
  assert.deepEqual(words, [
    ...['--cpus', '4', '--memory', '2048'],
    '--bootloader',
    'linux,kernel=/i/Image,initrd=/i/initrd,cmdline="console=hvc0 quiet a=1,2"',
    ...['--device', 'virtio-blk,path=/i/root.erofs,deviceId=corten-root,readonly'],
    ...['--device', 'virtio-blk,path=/m/data.raw,deviceId=corten-data'],
    ...['--device', 'virtio-blk,path=/m/seed.img,deviceId=corten-seed,readonly'],
    ...['--device', 'virtio-net,nat'],
    ...['--device', 'virtio-vsock,port=1024,socketURL=/r/ssh.sock,connect'],
    ...['--device', 'virtio-serial,logFilePath=/m/console.log'],
    ...['--device', 'virtio-rng', '--device', 'virtio-balloon'],
    ...['--restful-uri', 'unix:///r/vfkit.sock', '--log-level', 'info'],
  ]);
});

const unfit: [string, Partial<MacFacts>, Partial<AppleMachineOptions>, RegExp, RegExp][] = [
  ['an Intel Mac', {}, { hostArchitecture: 'x64' }, /Apple silicon only/, /QEMU/],
  ['an old macOS', { macos: '13.7.8' }, {}, /macOS 13\.7\.8 is too old/, /Update macOS/],
  ['a Mac without virtualization', { virtualization: '0' }, {}, /no virtualization/, /QEMU/],
  ['no vfkit', { vfkit: undefined }, {}, /no vfkit/, /brew install vfkit/],
  ['an old vfkit', { vfkit: 'v0.5.1' }, {}, /too old \(0\.5\.1\).* 0\.6\.0/, /brew upgrade/],
  ['a long path', {}, { runDirectory: `/tmp/${'long/'.repeat(30)}` }, /too long/, /--run/],
];
for (const [what, facts, change, cause, nextStep] of unfit)
  test(`not on ${what}`, async () => {
    await using mac = new Mac(facts, change);
    const { failure } = await mac.machine.start();
    assert.equal(failure?.stage, 'prepare');
    assert.match(failure?.cause ?? '', cause);
    assert.match(failure?.nextStep ?? '', nextStep);
    assert.deepEqual(mac.pids(), []);
  });

const saidByVfkit: [string, string, RegExp, RegExp][] = [
  [
    'not signed for it',
    'Error Domain=VZErrorDomain Code=2 Description="Invalid virtual machine configuration. The process doesn’t have the “com.apple.security.virtualization” entitlement."\n',
    /signed without the right/,
    /codesign/,
  ],
  [
    'the disk is in use',
    'Error Domain=VZErrorDomain Code=2 Description="The storage device attachment is invalid."\n',
    /Another program is using the machine's disk/,
    /End that program/,
  ],
  [
    'too many machines',
    'Error Domain=VZErrorDomain Code=6 Description="The maximum supported number of active virtual machines has been reached."\n',
    /as many virtual machines as it allows/,
    /Stop another/,
  ],
  ['no room', 'write: no space left on device\n', /disk is full/, /Free some space/],
  ['anything else', 'it rains\n', /ended with code 1\. .*it rains/, /vfkit\.log/],
];
for (const [what, said, cause, nextStep] of saidByVfkit)
  test(`vfkit does not start: ${what}`, () => {
    const failure = vfkitFailure('it ended with code 1', said, '/m/vfkit.log');
    assert.match(failure.message, cause);
    assert.match(failure.nextStep, nextStep);
  });

test('the hypervisor refuses', async () => {
  await using mac = new Mac();
  mac.behave({ error: true });
  const { failure } = await mac.machine.start();
  assert.match(failure?.cause ?? '', /hypervisor did not start/);
  assert.deepEqual(mac.pids(), []);
});

test('what the guest and vfkit said is there for diagnostics', async () => {
  await using mac = new Mac();
  assert.equal((await mac.machine.start()).status, 'running');
  await mac.machine.stop();
  mac.behave({ dies: 'it rains\n' });
  assert.match((await mac.machine.logs())['console.log'] ?? '', /corten: stage agent/);
  await mac.machine.start();
  assert.match((await mac.machine.logs())['vfkit.log'] ?? '', /it rains/);
});

test('a compressed kernel is not handed on', async () => {
  await using mac = new Mac();
  writeImage(join(mac.base, 'image'), 'one', '\x1f\x8b\x08\0');
  const { failure } = await mac.machine.start();
  assert.equal(failure?.stage, 'image');
  assert.match(failure?.cause ?? '', /no uncompressed arm64 kernel/);
});

test('a folder with a comma in its path cannot be given to vfkit', async () => {
  await using mac = new Mac();
  const directory = join(mac.base, 'a,b');
  const machine = createMachine({ backend: appleBackend({ ...mac.options, directory }) });
  const { failure } = await machine.start();
  assert.equal(failure?.stage, 'vm');
  assert.match(failure?.cause ?? '', /a comma/);
});

test('a machine that an app left behind is ended, and its disk goes on', async () => {
  await using mac = new Mac();
  assert.equal((await mac.machine.start()).status, 'running');
  const [left] = mac.pids();
  // Another app on the same folder: the first one crashed.
  const next = createMachine({ backend: appleBackend(mac.options) });
  assert.equal((await next.start()).status, 'running');
  assert.equal(mac.pids().includes(left ?? 0), false);
  assert.deepEqual(
    mac.asked().flatMap(({ change }) => change ?? []),
    ['Resume', 'Stop'],
  );
  await next.stop();
});

test('it is paused and resumed', async () => {
  await using mac = new Mac();
  const backend = appleBackend(mac.options);
  const context = {
    stage: <T>(_id: string, work: () => Promise<T>) => work(),
    note: () => {},
    ask: async () => undefined,
    signal: new AbortController().signal,
  };
  const up = await backend.bringUp(context);
  const nobody = {} as EngineClient;
  await up.idlePause?.pause(nobody);
  await assert.rejects(
    async () => up.idlePause?.pause(nobody),
    /vfkit refused: Invalid virtual machine state/,
  );
  await up.idlePause?.resume();
  await up.stop({}, undefined);
  assert.deepEqual(
    mac.asked().flatMap(({ change }) => change ?? []),
    ['Pause', 'Pause', 'Resume', 'Stop'],
  );
});

test('settings: processors and memory at the next start, a disk that only grows', async () => {
  await using mac = new Mac();
  const { machine } = mac;
  assert.equal((await machine.start()).status, 'running');
  const changed = await machine.controls?.change({
    memoryBytes: 768 * 1024 ** 2,
    diskBytes: 5 * 1024 ** 3,
  });
  assert.deepEqual(changed?.afterRestart, ['memoryBytes', 'diskBytes']);
  await assert.rejects(
    async () => machine.controls?.change({ diskBytes: 4 * 1024 ** 3 }),
    /only become larger/,
  );
  const { hostMemoryBytes = 0, disk } = (await machine.controls?.figures()) ?? { disk: undefined };
  assert.ok(hostMemoryBytes > 1024 ** 2, String(hostMemoryBytes));
  assert.equal(disk?.sizeBytes, 4 * 1024 ** 3);
  await machine.stop();
  assert.equal((await machine.start()).status, 'running');
  assert.equal(statSync(join(mac.directory, 'data.raw')).size, 5 * 1024 ** 3);
  const words =
    mac.asked().at(-1)?.words ?? mac.asked().findLast(({ words }) => words)?.words ?? [];
  assert.equal(words[words.indexOf('--memory') + 1], '768');
});

test('what ends while the guest boots is named as what it is', async () => {
  await using mac = new Mac();
  mac.behave({ console: ['booting'] });
  const starting = mac.machine.start();
  for await (const { stages } of mac.machine.watch(new AbortController().signal))
    if (stages.some(({ id, status }) => id === 'boot' && status === 'running')) break;
  for (const pid of mac.pids()) process.kill(pid, 'SIGKILL');
  const { failure } = await starting;
  assert.equal(failure?.stage, 'boot');
  assert.match(failure?.cause ?? '', /^vfkit ended while the machine started, at "kernel": /);
  assert.match(failure?.nextStep ?? '', /update vfkit\.$/);
});

test('a new image that does not reach its engine is left for the one before', async () => {
  await using mac = new Mac();
  assert.equal((await mac.machine.start()).status, 'running');
  await mac.machine.stop();
  writeImage(join(mac.base, 'image'), 'two');
  mac.behave({ console: ['Kernel panic - not syncing: VFS: no root'] });
  assert.equal((await mac.machine.start()).failure?.stage, 'boot');
  mac.behave({});
  const again = await mac.machine.start();
  assert.equal(again.status, 'running', JSON.stringify(again));
  assert.match(again.stages.find(({ id }) => id === 'image')?.note ?? '', /the one before/);
  const record = JSON.parse(readFileSync(join(mac.directory, 'machine.json'), 'utf8'));
  assert.ok(record.images.refused);
});

test('a vfkit that takes long is noted as slow, and the start fails after its timeout', async () => {
  await using mac = new Mac({}, { slowAfterMs: 10, startTimeoutMs: 300 });
  mac.behave({ mute: true });
  const notes: string[] = [];
  const watching = new AbortController();
  void (async () => {
    for await (const { stages } of mac.machine.watch(watching.signal))
      for (const { note } of stages) if (note !== undefined) notes.push(note);
  })();
  const { failure, stages } = await mac.machine.start();
  watching.abort();
  assert.equal(failure?.stage, 'vm');
  assert.match(failure?.cause ?? '', /state "unknown"/);
  assert.match(notes.join(), /vfkit has not started the machine yet.*still waiting/);
  assert.deepEqual(
    stages.flatMap(({ note }) => note ?? []),
    [],
  );
});
