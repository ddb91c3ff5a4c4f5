import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MountSettings } from '../../contract/container.ts';
import { FakeProcess } from '../testdata/fake-runtime.ts';
import { create, type Workbench, workbench } from '../testdata/workbench.ts';

const runOf = ({ paths }: Workbench, id: string) => join(paths.run, 'containers', id);

test('what still runs is taken up again', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench, {}, 'web');
  await bench.engine.containers.start(id);
  const survivor = new FakeProcess(4242);
  bench.runtime.leftBehind.set(runOf(bench, id), survivor);
  const engine = await bench.reopen();
  assert.equal(engine.containers.inspect('web').state.status, 'running');
  assert.equal(engine.containers.inspect('web').state.pid, 4242);
  const exit = engine.containers.wait('web', 'next-exit', new AbortController().signal);
  survivor.exit(5);
  assert.deepEqual(await exit, { exitCode: 5 });
});

test('a limit that was half changed is again what was written down', async (t) => {
  const bench = await workbench(t);
  const limits = { memory: { maxBytes: 64 * 1024 * 1024 }, pids: 7 };
  const id = await create(bench, { limits });
  await bench.engine.containers.start(id);
  bench.runtime.leftBehind.set(runOf(bench, id), new FakeProcess(4244));
  const group = bench.cgroups.open(id);
  group.update({ memory: { highBytes: 4096 }, cpu: { shares: 2, quotaMicros: 5000 }, pids: 1 });
  await bench.reopen();
  // The last word on each.
  const last = group.updates.flatMap(({ memory, cpu }) => Object.entries({ ...memory, ...cpu }));
  const { maxBytes, highBytes, shares, quotaMicros } = Object.fromEntries(last);
  assert.deepEqual([maxBytes, highBytes], [limits.memory.maxBytes, null]);
  assert.deepEqual([shares, quotaMicros], [null, null]);
  assert.equal(group.updates.at(-1)?.pids, 7);
});

test('one that was started and not yet written down is found by its run directory', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench);
  bench.runtime.leftBehind.set(runOf(bench, id), new FakeProcess(4243));
  const engine = await bench.reopen();
  assert.equal(engine.containers.inspect(id).state.status, 'running');
});

test('an exit that nobody saw has the code that the shim wrote down', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench);
  await bench.engine.containers.start(id);
  const finishedAt = new Date(1_700_000_000_000);
  bench.runtime.leftBehind.set(runOf(bench, id), { exitCode: 42, signal: undefined, finishedAt });
  const engine = await bench.reopen();
  const { state } = engine.containers.inspect(id);
  assert.deepEqual([state.status, state.exitCode], ['exited', 42]);
  assert.deepEqual(state.finishedAt, finishedAt);
});

test('the machine went down: 255, restart policies apply, auto-remove too', async (t) => {
  const bench = await workbench(t);
  const plain = await create(bench);
  const always = await create(bench, { restart: { name: 'always', maximumRetryCount: 0 } });
  const stopped = await create(bench, {
    restart: { name: 'unless-stopped', maximumRetryCount: 0 },
  });
  const temporary = await create(bench, { autoRemove: true });
  for (const id of [plain, always, stopped, temporary]) await bench.engine.containers.start(id);
  await bench.engine.containers.stop(stopped, {});
  const engine = await bench.reopen();
  assert.equal(engine.containers.inspect(plain).state.exitCode, 255);
  assert.equal(engine.containers.inspect(always).state.status, 'running');
  assert.equal(engine.containers.inspect(stopped).state.status, 'exited');
  assert.throws(() => engine.containers.inspect(temporary), { kind: 'not-found' });
});

test('a container with a folder of the host waits for it after a boot, and never has what lies there', async (t) => {
  const shared = mkdtempSync(join(tmpdir(), 'corten-folder-'));
  t.after(() => rmSync(shared, { recursive: true }));
  let isHere = true;
  const mountOf = () => (isHere ? shared : undefined);
  const bench = await workbench(t, { hostFolders: { mountOf, areNeeded: true } });
  const mounts: MountSettings[] = [
    {
      type: 'bind',
      source: shared,
      target: '/s',
      readOnly: false,
      createSource: true,
      recursive: true,
    },
  ];
  const restart = { name: 'on-failure', maximumRetryCount: 1 } as const;
  const id = await create(bench, { mounts, restart });
  await bench.engine.containers.start(id);
  isHere = false;
  const launched = bench.runtime.launched.length;
  const { containers } = await bench.reopen();
  assert.equal(containers.inspect(id).state.status, 'restarting');
  assert.equal(bench.runtime.launched.length, launched);
  isHere = true;
  while (containers.inspect(id).state.status !== 'running')
    await new Promise((done) => setTimeout(done, 1));
  assert.equal(containers.inspect(id).state.restartCount, 1);
});

test('the sweep takes what no container owns, and nothing else', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench);
  for (const directory of [
    join(bench.paths.root, 'containers', 'f'.repeat(64)),
    join(bench.paths.root, 'volumes', '.removed-1'),
    join(bench.paths.run, 'containers', 'e'.repeat(64)),
  ])
    mkdirSync(directory, { recursive: true });
  bench.cgroups.create('d'.repeat(64), {});
  await bench.reopen();
  assert.deepEqual(readdirSync(join(bench.paths.root, 'containers')), [id]);
  assert.deepEqual(readdirSync(join(bench.paths.root, 'volumes')), []);
  assert.deepEqual(readdirSync(join(bench.paths.run, 'containers')), []);
  assert.deepEqual(bench.cgroups.list(), []);
});
