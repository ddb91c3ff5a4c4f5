/** The machine in WSL 2 against a stand-in for wsl.exe whose states lie on disk (electron/host/wsl/testdata/fake-wsl.ts). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MachineState } from '../../contract/machines.ts';
import { createMachine } from '../machine/lifecycle.ts';
import { machineSuite } from '../machine/machine.suite.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { openConnection } from '../ssh/connection.ts';
import { type WslMachineOptions, wslBackend } from './backend.ts';
import type { WslProgram } from './command.ts';
import type { FakeWindows } from './testdata/fake-wsl.ts';
import { Windows } from './testdata/windows.ts';

machineSuite('wsl2', {
  stages: ['wsl', 'system', 'agent'],
  hangsAt: ['wsl', 'agent'],
  failsAt: ['wsl', 'agent'],
  lostAt: 'agent',
  async make() {
    const windows = new Windows();
    return {
      machine: createMachine({ backend: wslBackend(await windows.machine()) }),
      kill: async () => windows.run(['--shutdown']),
      leftovers: () => windows.processes(),
      hangAt: (stage) => windows.hangAt(stage === 'wsl' ? '--version' : 'run'),
      failAt: (stage) =>
        windows.become(
          stage === 'wsl' ? { virtualization: false } : { fail: { start: 'WSL_E_VM_CRASHED' } },
        ),
      heal() {
        windows.hangAt('');
        windows.become({});
      },
      remove: async () => windows[Symbol.dispose](),
    };
  },
});

test('made, started, used, stopped and started again', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  const machine = createMachine({ backend: wslBackend(options) });
  const first = await machine.start();
  assert.equal(first.status, 'running', JSON.stringify(first));
  assert.deepEqual(
    first.stages.map(({ id }) => id),
    ['wsl', 'system', 'agent', 'connect', 'engine'],
  );
  const disk = join(options.directory, 'disk');
  assert.deepEqual(windows.calls('--import'), [
    ['--import', 'corten', disk, '-', '--version', '2'],
  ]);
  const answer = await machine.engine().request({ method: 'POST', path: '/x', body: 'through it' });
  assert.equal(new TextDecoder().decode(answer.body), 'through it');

  const logs = await machine.logs();
  assert.match(logs['agent.log'] ?? '', /^\{"event":"ready"/m);

  // A terminal's own connection goes through the first and needs no wsl.exe more.
  const lines = windows.calls('line').length;
  const terminal = await openConnection(machine.endpoint(), 'web');
  terminal.end();
  assert.equal(windows.calls('line').length, lines);

  assert.equal((await machine.stop()).status, 'stopped');
  assert.deepEqual(windows.calls('--terminate'), [['--terminate', 'corten']]);
  windows.forget();
  assert.equal((await machine.start()).status, 'running');
  assert.deepEqual(windows.calls('--import'), []);
  assert.deepEqual(windows.calls('give'), [], 'nothing new to give');
  await machine.stop({ force: true });

  const { items } = await machine.footprint();
  assert.deepEqual(items, [{ part: 'state', path: join(disk, 'ext4.vhdx') }]);
  await machine.remove({ state: false });
  assert.equal(existsSync(join(disk, 'ext4.vhdx')), true);
  await machine.remove({ state: true });
  assert.equal(existsSync(join(disk, 'ext4.vhdx')), false);
});

test('mirrored network: the agent is told of it, people are told what it means, and NAT is as before', async () => {
  using windows = new Windows({ networkingMode: 'mirrored' });
  const options = { ...(await windows.machine()), agentArguments: ['--machine'] };
  const machine = createMachine({ backend: wslBackend(options) });
  const given = () =>
    readFileSync(join(options.directory, 'disk/rootfs/etc/corten/agent-arguments'), 'utf8');
  const noteOf = ({ stages }: MachineState) => stages.find(({ id }) => id === 'agent')?.note;
  const start = async (networkingMode: string | null) => {
    windows.become({ networkingMode });
    const state = await machine.start();
    assert.equal(state.status, 'running', JSON.stringify(state));
    await machine.stop();
    return state;
  };
  const mirrored = await start('mirrored');
  assert.equal(given(), '--machine\n--host-address\nshared\n');
  assert.match(noteOf(mirrored) ?? '', /do not reach Windows by host\.corten\.internal/);
  // WSL falls back where Windows cannot do it, and then tells the mode that it has.
  for (const mode of ['nat', 'virtioproxy', 'consomme', null]) {
    const state = await start(mode);
    assert.equal(given(), '--machine\n', String(mode));
    assert.equal(noteOf(state), undefined);
  }
  assert.match(noteOf(await start('none')) ?? '', /no image can be pulled/);
});

test('a new system is received beside the old one, and the data stays', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  const old = createMachine({ backend: wslBackend(options) });
  assert.equal((await old.start()).status, 'running');
  await old.stop();
  const root = join(options.directory, 'disk', 'rootfs');
  writeFileSync(join(root, 'var/lib/corten/kept'), 'data');
  const keys = readFileSync(join(root, 'var/lib/corten/ssh/host_ed25519'), 'utf8');

  const image = await windows.image({ 'etc/release': 'two' });
  const updated = { ...options, image: () => image };
  const machine = createMachine({ backend: wslBackend(updated) });
  assert.equal((await machine.start()).status, 'running');
  assert.equal(readFileSync(join(root, 'var/lib/corten/kept'), 'utf8'), 'data');
  assert.equal(readFileSync(join(root, 'var/lib/corten/ssh/host_ed25519'), 'utf8'), keys);
  const system = join(root, 'var/lib/corten-systems', image.sha256);
  assert.equal(readFileSync(join(system, 'etc/release'), 'utf8'), 'two');
  assert.equal(windows.calls('--import').length, 1, 'the distribution is the same');
  await machine.stop();
});

test('a new system that does not start is left again for the old one', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  const old = createMachine({ backend: wslBackend(options) });
  assert.equal((await old.start()).status, 'running');
  await old.stop();

  const image = await windows.image({ 'etc/broken': 'corten: the kernel has no overlayfs\n' });
  const machine = createMachine({ backend: wslBackend({ ...options, image: () => image }) });
  const failed = await machine.start();
  assert.equal(failed.failure?.stage, 'agent');
  assert.match(failed.failure?.cause ?? '', /new system does not start.*no overlayfs/);
  assert.match(failed.failure?.nextStep ?? '', /continues with the system image before/);
  windows.forget();
  const again = await machine.start();
  assert.equal(again.status, 'running', JSON.stringify(again));
  assert.deepEqual(windows.calls('receive'), [], 'the broken one is not received again');
  await machine.stop();
});

test('what Windows lacks is told in words, whatever its language', async () => {
  const cases: [Partial<FakeWindows>, RegExp, RegExp][] = [
    [{ package: 'stub' }, /is not installed/, /wsl --install --no-distribution/],
    [{ package: 'inbox' }, /too old \(the one that came with Windows\)/, /wsl --update/],
    [{ version: '1.2.5.0' }, /too old \(1\.2\.5\.0\)/, /wsl --update/],
    [{ virtualization: false }, /virtualization is off/, /firmware settings/],
  ];
  const languages = ['de', 'ja', 'en', 'de'] as const;
  await Promise.all(
    cases.map(async ([settings, cause, nextStep], index) => {
      using windows = new Windows({
        ...settings,
        language: languages[index],
        knowsUtf8: index % 2 === 0,
      });
      const { failure } = await startOnce(await windows.machine());
      assert.equal(failure?.stage, 'wsl');
      assert.match(failure?.cause ?? '', cause);
      assert.match(failure?.nextStep ?? '', nextStep);
      assert.deepEqual(windows.calls('--import'), []);
    }),
  );
});

test('a Windows without wsl.exe', async () => {
  using windows = new Windows();
  const wsl: WslProgram = [join(windows.home, 'wsl.exe')];
  const { failure } = await startOnce({ ...(await windows.machine()), wsl });
  assert.match(failure?.cause ?? '', /there is no wsl\.exe/);
});

test('what fails while it is made leaves nothing behind', async () => {
  using windows = new Windows({ language: 'de', fail: { import: 'ERROR_DISK_FULL' } });
  const options = await windows.machine();
  const { failure } = await startOnce(options);
  assert.equal(failure?.stage, 'system');
  assert.match(failure?.cause ?? '', /disk that holds the machine's files is full/);
  assert.match(failure?.nextStep ?? '', /Free some space/);
  assert.equal(existsSync(join(options.directory, 'machine.json')), false);
});

test('what fails while it starts', async () => {
  using windows = new Windows({ fail: { start: 'WSL_E_DISK_CORRUPTED' }, knowsUtf8: false });
  const { failure } = await startOnce(await windows.machine());
  assert.equal(failure?.stage, 'agent');
  assert.match(failure?.cause ?? '', /disk is damaged/);
  assert.match(failure?.nextStep ?? '', /disk-space/);
});

test("another's distribution of the same name is left alone", async () => {
  using windows = new Windows();
  const theirs = await windows.machine();
  assert.equal((await startOnce(theirs)).status, 'running');
  windows.forget();
  const mine = { ...theirs, directory: join(windows.home, 'mine') };
  const { failure } = await startOnce(mine);
  assert.equal(failure?.stage, 'wsl');
  assert.match(failure?.cause ?? '', /called "corten" that this app did not make/);
  const notMine = createMachine({ backend: wslBackend(mine) });
  await assert.rejects(notMine.remove({ state: true }), /did not make/);
  assert.deepEqual(windows.calls('--unregister'), []);
});

test('while the system is unpacked it is told how far that is; cancelled, nothing of it stays', async () => {
  using windows = new Windows();
  const image = await windows.image({ 'etc/large': randomBytes(2 * 1024 ** 2).toString('hex') });
  const options = { ...(await windows.machine()), image: () => image };
  const machine = createMachine({ backend: wslBackend(options) });
  const noteOf = ({ stages }: MachineState) => stages.find(({ id }) => id === 'system')?.note;
  // Of who reads nothing, as much is read as the pipe holds.
  windows.hangAt('--import');
  const unpacking = untilState(machine, (state) => noteOf(state) !== undefined);
  const starting = machine.start();
  assert.match(noteOf(await unpacking) ?? '', /^Unpacking the system: \d?\d %$/);
  assert.equal((await machine.stop()).status, 'stopped');
  assert.equal((await starting).failure?.stage, 'system');
  assert.equal((await machine.footprint()).items.length, 0);
  assert.equal(existsSync(join(options.directory, 'machine.json')), false);
  windows.hangAt('');
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.equal(noteOf(state), undefined);
  await machine.stop();
});

test('a damaged system is not unpacked', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  writeFileSync(options.image().path, 'not what was shipped');
  const { failure } = await startOnce(options);
  assert.match(failure?.cause ?? '', /is damaged: its SHA-256 is/);
  assert.match(failure?.nextStep ?? '', /Install the app again/);
  assert.deepEqual(windows.calls('--import'), []);
});

test('a distribution that somebody set to WSL 1', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  const machine = createMachine({ backend: wslBackend(options) });
  assert.equal((await machine.start()).status, 'running');
  await machine.stop();
  windows.change('corten', { version: 1 });
  const { failure } = await machine.start();
  assert.match(failure?.cause ?? '', /set to WSL 1/);
  assert.match(failure?.nextStep ?? '', /wsl --set-version corten 2/);
});

test('its disk grows while it is stopped; what all of WSL shares is not its own to set', async () => {
  using windows = new Windows();
  const machine = createMachine({ backend: wslBackend(await windows.machine()) });
  const { controls } = machine;
  assert.match(controls?.settings().fixed?.diskBytes ?? '', /Start it once before/);
  assert.match(controls?.settings().fixed?.cpus ?? '', /\.wslconfig/);
  const larger = 2 * 1024 ** 4;
  await assert.rejects(async () => controls?.change({ diskBytes: larger }), /Start it once before/);
  await assert.rejects(
    async () => controls?.change({ proxiesInContainers: true }),
    /Start it once before/,
  );
  assert.equal((await machine.start()).status, 'running');
  const { settings } = (await controls?.change({ proxiesInContainers: true })) ?? {};
  assert.equal(settings?.proxiesInContainers, true);
  assert.match(controls?.settings().fixed?.diskBytes ?? '', /Stop the machine/);
  await assert.rejects(async () => controls?.change({ diskBytes: larger }), /Stop the machine/);
  await assert.rejects(async () => controls?.change({ memoryBytes: 1 }), /\.wslconfig/);
  await assert.rejects(async () => controls?.change({ pauseAfterMs: 1000 }), /no pause to set/);
  await machine.stop();
  assert.equal(controls?.settings().fixed?.diskBytes, undefined);
  assert.equal((await controls?.change({ diskBytes: larger }))?.settings.diskBytes, larger);
  assert.deepEqual(windows.calls('--manage'), [['--manage', 'corten', '--resize', `${larger}B`]]);
  await assert.rejects(
    async () => controls?.change({ diskBytes: 1024 ** 4 }),
    /only become larger/,
  );
  assert.equal((await controls?.figures())?.disk.sizeBytes, larger);
  assert.equal(controls?.settings().settings.proxiesInContainers, true);
  windows.become({ fail: { resize: 'ERROR_DISK_FULL' } });
  for (const diskBytes of [1024 ** 4, 2 * larger])
    await assert.rejects(async () => controls?.change({ proxiesInContainers: false, diskBytes }));
  assert.equal(controls?.settings().settings.proxiesInContainers, true, 'all of a change, or none');
});

test('what people set while a new system is received stays set', async () => {
  using windows = new Windows();
  const options = await windows.machine();
  let image = options.image();
  const machine = createMachine({ backend: wslBackend({ ...options, image: () => image }) });
  assert.equal((await machine.start()).status, 'running');
  await machine.stop();
  image = await windows.image({ 'etc/release': 'two' });
  const started = machine.start();
  await untilState(machine, ({ stages }) =>
    stages.some(({ id, status }) => id === 'system' && status === 'running'),
  );
  await machine.controls?.change({ proxiesInContainers: true });
  assert.equal((await started).status, 'running');
  assert.equal(machine.controls?.settings().settings.proxiesInContainers, true);
  assert.equal(machine.controls?.images()?.current, image.sha256);
  await machine.stop();
});

async function startOnce(options: WslMachineOptions) {
  const machine = createMachine({ backend: wslBackend(options) });
  const state = await machine.start();
  await machine.stop({ force: true });
  return state;
}
