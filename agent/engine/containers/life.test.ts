import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bridgeNetwork } from '../../contract/testdata/settings.ts';
import { until } from '../../e2e/until.ts';
import { StartError } from '../../runtime/start-error.ts';
import { create, type Workbench, workbench } from '../testdata/workbench.ts';

const never = new AbortController().signal;
async function actions({ events }: Workbench): Promise<string[]> {
  // The stream's reader gets its turn.
  await new Promise((done) => setImmediate(done));
  return events.map(({ type, action }) => `${type} ${action}`);
}
const onBridge = (hostPort: number) => ({
  ...bridgeNetwork,
  ports: [{ containerPort: 80, protocol: 'tcp' as const, hostPort }],
});

test('start, exit, start again: state, exitWaiters and events in dockerd’s order', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, {}, 'web');
  const exit = containers.wait(id, 'next-exit', never);
  await containers.start(id);
  await assert.rejects(containers.start(id), { kind: 'not-modified' });
  const { state } = containers.inspect(id);
  assert.equal(state.status, 'running');
  assert.equal(state.pid, bench.runtime.last.pid);
  assert.deepEqual(bench.cgroups.list(), [id]);
  bench.runtime.last.exit(3);
  assert.deepEqual(await exit, { exitCode: 3 });
  assert.deepEqual(await containers.wait(id, 'not-running', never), { exitCode: 3 });
  assert.equal(containers.inspect(id).state.status, 'exited');
  await bench.tidied();
  assert.deepEqual(bench.cgroups.list(), []);
  await containers.start(id);
  assert.equal(containers.inspect(id).state.status, 'running');
  assert.deepEqual(await actions(bench), [
    'container create',
    'container start',
    'container die',
    'container start',
  ]);
  assert.equal(bench.events[2]?.attributes.exitCode, '3');
  bench.runtime.last.exit(0);
});

test('an ended container’s root is released after its end was told, and before the next start', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  await containers.start(id);
  const first = bench.runtime.last;
  first.exit(0);
  await containers.wait(id, 'not-running', never);
  assert.equal(first.rootReleases, 0);
  await containers.start(id);
  assert.equal(first.rootReleases, 1);
  bench.runtime.last.exit(0);
  await containers.wait(id, 'not-running', never);
  await bench.tidied();
  assert.equal(bench.runtime.last.rootReleases, 1);
});

test('a command that cannot be executed leaves the reason and nothing else', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { network: onBridge(8080) });
  bench.runtime.failLaunch = new StartError(127, 'exec: "x": executable file not found in $PATH');
  await assert.rejects(containers.start(id), /executable file not found/);
  const { state, networks, ports } = containers.inspect(id);
  assert.deepEqual([state.status, state.exitCode], ['created', 127]);
  assert.match(state.error, /executable file not found/);
  assert.deepEqual([networks[0]?.ipv4Address, ports], ['', []]);
  assert.deepEqual(bench.cgroups.list(), []);
  assert.equal(bench.runtime.openSandboxes, 0);
  assert.equal(bench.network.endpoints.size, 0);
  assert.equal(bench.network.published.size, 0);
  assert.deepEqual(readdirSync(join(bench.paths.run, 'containers')), []);
  assert.deepEqual(bench.reports, []);
});

test('with auto-remove a failed start removes, and an exit’s code outlives the container', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const failing = await create(bench, { autoRemove: true });
  bench.runtime.failPrepare = new Error('no room');
  await assert.rejects(containers.start(failing), /no room/);
  assert.throws(() => containers.inspect(failing), { kind: 'not-found' });
  bench.runtime.failPrepare = undefined;
  const id = await create(bench, { autoRemove: true });
  const removed = containers.wait(id, 'removed', never);
  await containers.start(id);
  bench.runtime.last.exit(9);
  assert.deepEqual(await removed, { exitCode: 9 });
  assert.throws(() => containers.inspect(id), { kind: 'not-found' });
  assert.equal(existsSync(join(bench.paths.root, 'containers', id)), false);
});

test('stop: the stop signal, then SIGKILL; not-modified when it does not run', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { stopSignal: 'SIGUSR1' });
  await assert.rejects(containers.stop(id, {}), { kind: 'not-modified' });
  await containers.start(id);
  const process = bench.runtime.last;
  await containers.stop(id, { timeoutSeconds: 0 });
  assert.deepEqual(process.signals, [10, 9]);
  assert.equal(containers.inspect(id).state.exitCode, 137);
  assert.deepEqual((await actions(bench)).slice(-4), [
    'container kill',
    'container kill',
    'container die',
    'container stop',
  ]);
});

test('a stop that may take months does not kill at once', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  await containers.start(id);
  const process = bench.runtime.last;
  process.onSignal = () => {};
  const stopping = containers.stop(id, { timeoutSeconds: 9_999_999 });
  while (process.signals.length === 0) await new Promise((done) => setImmediate(done));
  // Long enough for a timer whose time was too long to count.
  await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(process.signals, [15]);
  process.exit(0);
  await stopping;
});

test('a kill reaches a container that a stop is waiting for', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  await containers.start(id);
  const process = bench.runtime.last;
  process.onSignal = (signal) => {
    if (signal === 9) process.exit(137, 9);
  };
  const stopping = containers.stop(id, { timeoutSeconds: -1 });
  await containers.kill(id);
  await stopping;
  assert.equal(containers.inspect(id).state.status, 'exited');
  await assert.rejects(containers.kill(id), { kind: 'conflict', message: /is not running/ });
});

test('what ended a moment ago is stopped, killed, restarted and removed without a complaint', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const endings: ((id: string) => Promise<unknown>)[] = [
    (id) => containers.stop(id, {}),
    (id) => containers.kill(id, undefined),
    (id) => containers.restart(id, {}),
    (id) => containers.remove(id, { force: true, volumes: false }),
  ];
  for (const ending of endings) {
    const id = await create(bench);
    await containers.start(id);
    // Its exit is on the way to the engine, which still holds it for running.
    bench.runtime.last.exit(3);
    await ending(id);
  }
  assert.deepEqual(
    containers.list().map(({ state }) => state.status),
    ['exited', 'exited', 'running'],
  );
});

test('a paused container is thawed by what ends it', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench);
  await containers.start(id);
  await containers.pause(id);
  const group = bench.cgroups.open(id);
  assert.deepEqual([containers.inspect(id).state.status, group.frozen], ['paused', true]);
  await assert.rejects(containers.pause(id), { kind: 'conflict', message: /already paused/ });
  await assert.rejects(containers.remove(id, { force: false, volumes: false }), {
    kind: 'conflict',
    message: /paused and must be unpaused first/,
  });
  await containers.stop(id, { timeoutSeconds: 0 });
  assert.equal(group.frozen, false);
});

test('a restart policy starts it again, and a stop by hand ends that', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { restart: { name: 'always', maximumRetryCount: 0 } });
  await containers.start(id);
  const first = bench.runtime.last;
  const exit = containers.wait(id, 'next-exit', never);
  first.exit(1);
  await exit;
  assert.equal(containers.inspect(id).state.status, 'restarting');
  await until(() => bench.runtime.last !== first);
  while (containers.inspect(id).state.status !== 'running')
    await new Promise((done) => setImmediate(done));
  assert.equal(containers.inspect(id).state.restartCount, 1);
  await containers.stop(id, {});
  assert.equal(containers.inspect(id).state.status, 'exited');
});

test('a stop while it waits for its restart drops the plan', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { restart: { name: 'always', maximumRetryCount: 0 } });
  await containers.start(id);
  const exit = containers.wait(id, 'next-exit', never);
  bench.runtime.last.exit(1);
  await exit;
  await containers.stop(id, {});
  assert.equal(containers.inspect(id).state.status, 'exited');
  assert.equal(bench.runtime.launched.length, 1);
  const again = await bench.reopen();
  assert.equal(again.containers.inspect(id).state.status, 'running', 'always comes back');
});

test('with auto-remove a restart that cannot start it again removes it', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { autoRemove: true });
  await containers.start(id);
  bench.runtime.failLaunch = new Error('no room');
  await assert.rejects(containers.restart(id, { timeoutSeconds: 0 }), /no room/);
  assert.throws(() => containers.inspect(id), { kind: 'not-found' });
});

test('a restart that is refused changes nothing of what becomes of its end', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { autoRemove: true });
  await containers.start(id);
  await assert.rejects(containers.restart(id, { signal: 'SIGNOSUCH' }), { kind: 'invalid' });
  bench.runtime.last.exit(0);
  await until(() => containers.list().every((container) => container.id !== id));
});

test('restart leaves auto-remove out', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { autoRemove: true });
  await containers.start(id);
  await containers.restart(id, { timeoutSeconds: 0 });
  assert.equal(containers.inspect(id).state.status, 'running');
  assert.equal(bench.runtime.launched.length, 2);
  const removed = containers.wait(id, 'removed', never);
  bench.runtime.last.exit(0);
  await removed;
});

test('remove: refused while it runs, unless forced', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { restart: { name: 'always', maximumRetryCount: 0 } }, 'web');
  await containers.start(id);
  await assert.rejects(containers.remove(id, { force: false, volumes: false }), {
    kind: 'conflict',
    message:
      'cannot remove container "/web": container is running: stop the container before removing or force remove',
  });
  await containers.remove(id, { force: true, volumes: false });
  assert.throws(() => containers.inspect(id), { kind: 'not-found' });
  assert.deepEqual(readdirSync(join(bench.paths.root, 'containers')), []);
});

test('networks and ports are held while it runs, and given back', async (t) => {
  const bench = await workbench(t);
  const { containers, networks } = bench.engine;
  const id = await create(bench, { network: onBridge(8080) });
  await containers.start(id);
  const { networks: endpoints, ports } = containers.inspect(id);
  assert.match(endpoints[0]?.ipv4Address ?? '', /^10\.9\.0\./);
  assert.equal(ports[0]?.hostPort, 8080);
  assert.equal(networks.inspect('bridge').containers[0]?.id, id);
  await containers.kill(id);
  assert.equal(bench.network.endpoints.size, 0);
  assert.equal(bench.network.published.size, 0);
  assert.equal(containers.inspect(id).networks[0]?.ipv4Address, '');
  assert.deepEqual(networks.inspect('bridge').containers, []);
});

test("a port that another container has is refused with that container's name", async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const first = await create(bench, { network: onBridge(8080) }, 'first');
  await containers.start(first);
  const second = await create(bench, { network: onBridge(8080) }, 'second');
  await assert.rejects(containers.start(second), {
    kind: 'internal',
    message: /0\.0\.0\.0:8080 failed: port is already allocated by container first; stop it/,
  });
  await containers.stop(first, {});
  await containers.start(second);
  assert.equal(containers.inspect(second).state.status, 'running');
});

test('an update reaches the kernel and is remembered; what the kernel refuses is not', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { limits: { pids: 5 } });
  await containers.start(id);
  await containers.update(id, { limits: { cpu: { shares: 512 } } });
  assert.deepEqual(bench.cgroups.open(id).updates, [{ pids: 5 }, { cpu: { shares: 512 } }]);
  assert.deepEqual(containers.inspect(id).settings.limits, { pids: 5, cpu: { shares: 512 } });
  bench.cgroups.open(id).update = () => {
    throw new Error('EBUSY');
  };
  await assert.rejects(containers.update(id, { limits: { pids: 1 } }), /EBUSY/);
  assert.equal(containers.inspect(id).settings.limits.pids, 5);
  bench.runtime.last.exit(0);
});

test('a rename frees the old name', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench, {}, 'old');
  await bench.engine.containers.rename('old', 'new');
  assert.equal(bench.engine.containers.inspect('new').id, id);
  assert.throws(() => bench.engine.containers.inspect('old'), { kind: 'not-found' });
  await create(bench, {}, 'old');
  await assert.rejects(bench.engine.containers.rename('new', 'old'), { kind: 'conflict' });
});

test('killed for memory shows in the state', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench);
  await bench.engine.containers.start(id);
  bench.cgroups.open(id).oomKillCount = 1;
  await bench.engine.containers.kill(id);
  assert.equal(bench.engine.containers.inspect(id).state.oomKilled, true);
  assert.ok((await actions(bench)).includes('container oom'));
});
