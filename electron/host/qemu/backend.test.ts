/** The contract of machines, and QEMU's own successes and failures, with a fake QEMU. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createMachine } from '../machine/lifecycle.ts';
import { machineSuite } from '../machine/machine.suite.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { qemuBackend } from './backend.ts';
import { installFakeQemu, type StandIn, standIn, writeImage } from './testdata/stand-in.ts';
import { failureOf, standIns } from './testdata/stand-ins.ts';

machineSuite('qemu', {
  stages: ['prepare', 'image', 'disks', 'vm', 'boot'],
  hangsAt: ['prepare', 'vm', 'boot', 'connect', 'engine'],
  failsAt: ['image', 'vm', 'boot'],
  lostAt: 'vm',
  async make() {
    const made = standIn();
    const root = join(made.options.imageDirectory, 'root.erofs');
    const programs = made.options.searchPath ?? '';
    const installed = () => join(made.directory, 'images');
    return {
      machine: made.machine,
      kill: async () => {
        for (const pid of made.pids()) process.kill(pid, 'SIGKILL');
      },
      leftovers: () => made.pids().map((pid) => `QEMU ${pid}`),
      hangAt(stage) {
        if (stage === 'prepare')
          writeFileSync(join(programs, 'qemu-system-x86_64'), '#!/bin/sh\nexec sleep 600\n');
        else made.behave(stage === 'boot' ? { console: ['booting'] } : { silentAt: stage });
      },
      failAt(stage) {
        if (stage === 'image') {
          rmSync(installed(), { recursive: true });
          writeFileSync(root, 'something else');
        } else if (stage === 'vm') made.behave({ dies: 'qemu: no\n' });
        else made.behave({ console: ['Kernel panic - not syncing: VFS: no root'] });
      },
      heal() {
        made.behave({});
        installFakeQemu(programs);
        writeImage(made.options.imageDirectory, 'one');
      },
      remove: made.remove,
    };
  },
});

const make = standIns();

/** The fake QEMU ends as soon as it boots. */
async function endWhileBooting(made: StandIn): Promise<void> {
  for await (const { stages } of made.machine.watch(new AbortController().signal))
    if (stages.some(({ id, status }) => id === 'boot' && status === 'running')) break;
  writeFileSync(join(made.directory, 'end'), '');
}

test('no QEMU: the way to get one', async () => {
  const { stage, cause, nextStep } = await failureOf(make({ searchPath: '/nowhere' }));
  assert.equal(stage, 'prepare');
  assert.match(cause, /no qemu-system-x86_64/);
  assert.match(nextStep, /apt install qemu-system-x86/);
});

test('its disk is told of, stays unless it is asked for, and goes with the machine', async () => {
  const { machine, directory, options } = make();
  await machine.start();
  const { items } = await machine.footprint();
  assert.deepEqual(
    items.map(({ part, path }) => ({ part, path })),
    [{ part: 'state', path: directory }],
  );
  assert.ok((items[0]?.sizeBytes ?? 0) > 0, 'what it takes');
  await machine.remove({ state: false });
  assert.equal(existsSync(join(directory, 'data.raw')), true);
  assert.equal(existsSync(options.runDirectory), false);
  await machine.remove({ state: true });
  assert.equal(existsSync(directory), false);
});

test('a QEMU that is too old', async () => {
  const { stage, cause, nextStep } = await failureOf(make({}, { version: '6.2.0' }));
  assert.equal(stage, 'prepare');
  assert.match(cause, /is QEMU 6\.2\.0, and the machine needs 7\.2\.0/);
  assert.match(nextStep, /^Update QEMU/);
});

test('sockets whose path is too long', async () => {
  const { stage, cause, nextStep } = await failureOf(
    make({ runDirectory: `/tmp/${'long/'.repeat(30)}` }),
  );
  assert.equal(stage, 'prepare');
  assert.match(cause, /too long for a socket/);
  assert.match(nextStep, /--run/);
});

test('settings that cannot be read leave the disk alone', async () => {
  const made = make();
  writeFileSync(join(made.directory, 'machine.json'), '{"version": 1, "settings": {');
  const { stage, cause, nextStep } = await failureOf(made);
  assert.equal(stage, 'prepare');
  assert.match(cause, /machine\.json cannot be read/);
  assert.match(nextStep, /keeps its disk/);
});

test('an image whose digest is wrong is not started', async () => {
  const made = make();
  writeFileSync(join(made.options.imageDirectory, 'root.erofs'), 'root.erofs xxx');
  const { stage, cause } = await failureOf(made);
  assert.equal(stage, 'image');
  assert.match(cause, /root\.erofs is not what its list says: its digest is sha256:[0-9a-f]{16}…/);
  assert.deepEqual(made.asked(), []);
});

test('no image at all', async () => {
  const { stage, nextStep } = await failureOf(make({ imageDirectory: '/nowhere' }));
  assert.equal(stage, 'image');
  assert.match(nextStep, /scripts\/vm-image/);
});

const saidByQemu: [string, string, RegExp, RegExp][] = [
  [
    'another program has the disk',
    'qemu-system-x86_64: -blockdev {…}: Failed to get "write" lock\nIs another process using the image [data.raw]?\n',
    /Another program is using the machine's disk .*data\.raw/,
    /End that program/,
  ],
  [
    'not enough memory',
    "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory\n",
    /not enough free memory/,
    /less memory/,
  ],
  [
    'a socket in use',
    'qemu-system-x86_64: -chardev socket,id=qmp: Failed to bind socket to /x/qmp.sock: Address already in use\n',
    /socket that the machine needs is in use/,
    /--run/,
  ],
  [
    'a corrupt disk',
    'qemu-system-x86_64: -blockdev {}: qcow2: Image is corrupt; cannot be opened read/write\n',
    /disk .* cannot be used: .*corrupt/,
    /backup/,
  ],
  [
    'anything else',
    'qemu-system-x86_64: it rains\n',
    /ended with code 1\. .*it rains/,
    /qemu\.log/,
  ],
];
for (const [what, said, cause, nextStep] of saidByQemu)
  test(`QEMU does not start: ${what}`, async () => {
    const made = make();
    made.behave({ dies: said });
    const failure = await failureOf(made);
    assert.equal(failure.stage, 'vm');
    assert.match(failure.cause, cause);
    assert.match(failure.nextStep, nextStep);
  });

test('an accelerator that breaks QEMU is left out, with a note', async () => {
  const device = join(make().directory, 'kvm');
  writeFileSync(device, '');
  const made = make({ kvmDevice: device });
  made.behave({ diesAccelerated: 'qemu-system-x86_64: error: failed to set MSR 0x10a\n' });
  const { status, stages } = await made.machine.start();
  assert.equal(status, 'running', JSON.stringify(stages));
  assert.match(stages[0]?.note ?? '', /without acceleration.*failed to set MSR 0x10a.*firmware/s);
  // A real QEMU serves only its first connection, which must not be the one that was abandoned.
  assert.equal(made.asked().filter(({ dialled }) => dialled === 'qmp').length, 1);
});

test('/dev/kvm that is not there or not ours: emulation, with a note that says what helps', async () => {
  const missing = make({ kvmDevice: '/nowhere/kvm' });
  assert.match((await missing.machine.start()).stages[0]?.note ?? '', /there is no \/nowhere\/kvm/);
  const accelerators = missing.asked()[0]?.started as string[];
  assert.equal(accelerators.filter((word) => word === '-accel').length, 1);
});

test('a guest that falls silent: where it was, and its last words', async () => {
  const made = make({ timeoutMs: 1000 });
  made.behave({ console: ['corten: stage data-disk 3.1', 'xfs: thinking'] });
  const { stage, cause } = await failureOf(made);
  assert.equal(stage, 'boot');
  assert.match(cause, /stopped answering while it started, at "data-disk".*xfs: thinking/);
});

test("a data disk that the guest cannot use: the guest's words, and where the file is", async () => {
  const made = make();
  made.behave({
    console: [
      'corten: failed data-disk-repair damaged: The file system on the data disk is damaged and could not be repaired. Restore the file from a backup, or remove it.',
    ],
    endsAfterConsole: true,
  });
  const [{ stage, cause, nextStep }] = await Promise.all([failureOf(made), endWhileBooting(made)]);
  assert.equal(stage, 'boot');
  assert.match(cause, /damaged and could not be repaired\. It is .*data\.raw\./);
  assert.match(nextStep, /^Restore the file from a backup/);
});

test('an engine that keeps ending in the guest', async () => {
  const made = make();
  made.behave({ console: Array(3).fill('corten: agent-ended 1') });
  assert.match((await failureOf(made)).cause, /ends as soon as it starts \(status 1\)/);
});

test('QEMU that ends while the guest boots', async () => {
  const made = make();
  made.behave({ console: ['corten: stage system 2.5'], endsAfterConsole: true });
  const [{ cause }] = await Promise.all([failureOf(made), endWhileBooting(made)]);
  assert.match(cause, /at "system": it ended with code 0/);
});

test('a machine that runs and is killed: how, and the last words of both', async () => {
  const made = make();
  await made.machine.start();
  writeFileSync(join(made.directory, 'console.log'), 'Out of memory: Killed process 7\n');
  const watching = new AbortController();
  for (const pid of made.pids()) process.kill(pid, 'SIGKILL');
  for await (const { failure } of made.machine.watch(watching.signal))
    if (failure?.stage === 'vm') {
      assert.match(failure.cause, /QEMU ended: it was killed by SIGKILL/);
      assert.match(failure.cause, /console ended with: Out of memory/);
      assert.match(failure.nextStep, /its disk is kept/);
      break;
    }
});

test('what the guest and QEMU said is there for diagnostics', async () => {
  const made = make();
  await made.machine.start();
  await made.machine.stop();
  assert.match((await made.machine.logs())['console.log'] ?? '', /corten: stage agent/);
  made.behave({ dies: 'qemu: it rains\n' });
  await made.machine.start();
  assert.match((await made.machine.logs())['qemu.log'] ?? '', /it rains/);
});

test('a directory that is not ours', { skip: process.getuid?.() === 0 }, async () => {
  const made = make();
  chmodSync(made.directory, 0o500);
  assert.equal((await failureOf(made)).stage, 'prepare');
  chmodSync(made.directory, 0o700);
});

test('the power button first; who does not hear it is ended', async () => {
  const made = make({ powerOffTimeoutMs: 200 });
  made.behave({ deaf: true });
  await made.machine.start();
  await made.machine.stop();
  assert.deepEqual(made.pids(), []);
  assert.ok(made.asked().some(({ execute }) => execute === 'system_powerdown'));
});

test('a stop that hangs is forced by a second one; without force that one waits with it', async () => {
  const made = make({ powerOffTimeoutMs: 600_000 });
  made.behave({ deaf: true });
  await made.machine.start();
  const isAsked = () => made.asked().some(({ execute }) => execute === 'system_powerdown');
  const hanging = made.machine.stop();
  const second = made.machine.stop();
  while (!isAsked()) await turn();
  assert.equal(made.machine.state().status, 'running');
  assert.equal((await made.machine.stop({ force: true })).status, 'stopped');
  assert.deepEqual(made.pids(), []);
  assert.equal((await hanging).status, 'stopped');
  assert.equal((await second).status, 'stopped');
  made.behave({});
  assert.equal((await made.machine.start()).status, 'running');
});

test('a larger disk: the file, the disk of the running machine, then its file system', async () => {
  const made = make();
  await made.machine.start();
  made.forget();
  await made.machine.controls!.change({ diskBytes: 8 * 1024 ** 3 });
  const [resize, grow] = made.asked();
  assert.deepEqual(resize, {
    execute: 'block_resize',
    given: { 'node-name': 'data', size: 8 * 1024 ** 3 },
  });
  assert.deepEqual(grow, { request: 'POST /corten/v1/machine/grow' });
  assert.equal((await made.machine.controls!.figures()).disk.sizeBytes, 8 * 1024 ** 3);
  await assert.rejects(made.machine.controls!.change({ diskBytes: 4 * 1024 ** 3 }), {
    name: 'SettingRefused',
    setting: 'diskBytes',
    message: /can only become larger/,
  });
});

test('what is set meanwhile stays set: while the disk grows, and while the machine starts', async () => {
  const made = make();
  const started = made.machine.start();
  await untilState(made.machine, ({ stages }) => stages[0]?.status === 'running');
  const { change, settings } = made.machine.controls!;
  await change({ pauseAfterMs: 60_000 });
  assert.equal((await started).status, 'running');
  assert.equal(settings().settings.pauseAfterMs, 60_000);
  const diskBytes = 8 * 1024 ** 3;
  await Promise.all([change({ diskBytes }), change({ pauseAfterMs: 90_000 })]);
  assert.equal(settings().settings.diskBytes, diskBytes);
  assert.equal(settings().settings.pauseAfterMs, 90_000);
});

test('a new image is tried, proved and kept; the one before stays for a while', async () => {
  const made = make();
  await made.machine.start();
  await made.machine.stop();
  const first = made.machine.controls!.images()!.current;
  writeImage(made.options.imageDirectory, 'two');
  await made.machine.start();
  const { current, previous } = made.machine.controls!.images()!;
  assert.notEqual(current, first);
  assert.equal(previous, first);
});

test('a new image that does not reach its engine: the next start goes back to the one before', async () => {
  const made = make();
  await made.machine.start();
  await made.machine.stop();
  const first = made.machine.controls!.images()!.current;
  writeImage(made.options.imageDirectory, 'broken');
  made.behave({ console: ['Kernel panic - not syncing: no'] });
  await failureOf(made);
  made.behave({});
  made.forget();
  const { status, stages } = await made.machine.start();
  assert.equal(status, 'running', JSON.stringify(stages));
  assert.match(stages[1]?.note ?? '', /uses the one before/);
  const words = made.asked()[0]?.started as string[];
  assert.ok(words[words.indexOf('-kernel') + 1]?.includes(first));
  await made.machine.stop();
  // The app's next update brings another image, which is tried again.
  writeImage(made.options.imageDirectory, 'mended');
  assert.equal((await made.machine.start()).status, 'running');
  assert.equal(made.machine.controls!.images()!.previous, first);
});

test('a QEMU that an app left behind is asked to end before the next start', async () => {
  const made = make();
  await made.machine.start();
  const [left] = made.pids();
  const second = createMachine({ backend: qemuBackend(made.options) });
  assert.equal((await second.start()).status, 'running');
  assert.ok(!made.pids().includes(left!));
  await second.stop({ force: true });
});

test('keys are the machine’s own, private, and the same at every start', async () => {
  const made = make();
  await made.machine.start();
  const key = () => readFileSync(join(made.directory, 'keys', 'host_ed25519'), 'utf8');
  const first = key();
  await made.machine.stop();
  await made.machine.start();
  assert.equal(key(), first);
});

test('compact trims, and tells what came back', async () => {
  const made = make();
  await made.machine.start();
  const phases = [];
  for await (const { phase } of made.machine.controls!.compact(new AbortController().signal))
    phases.push(phase);
  assert.equal(phases[0], 'trimming');
  assert.equal(phases.at(-1), 'done');
});
