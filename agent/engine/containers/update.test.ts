import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSettings } from '../../contract/container.ts';
import type { Limits } from '../../contract/limits.ts';
import { create, settings, workbench } from '../testdata/workbench.ts';

const network = (mode: ContainerSettings['network']['mode']) => ({ ...settings().network, mode });

test('a change that is refused half-way is taken back, and a dry run does nothing', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { limits: { pids: 5, log: { maxBytes: 70_000, maxFiles: 2 } } });
  await containers.start(id);
  const { updates, used } = bench.cgroups.open(id);
  used.pids.current = 4;
  const asked = await containers.update(id, { limits: { pids: 3 }, dryRun: true });
  assert.match(asked.warnings.join(), /no new one can start/);
  assert.deepEqual([asked.limits.pids, updates.length], [3, 1]);
  bench.runtime.last.limitLog = () => {
    throw new Error('no shim');
  };
  const change = { pids: 9, log: { maxBytes: 80_000 } };
  await assert.rejects(containers.update(id, { limits: change }), /no shim/);
  assert.deepEqual(updates.at(-1), { pids: 5, log: { maxBytes: 70_000 } });
  assert.equal(containers.inspect(id).settings.limits.pids, 5);
  bench.cgroups.refusal = new Error('not on this machine');
  await assert.rejects(containers.update(id, { limits: { pids: 9 }, dryRun: true }), /not on this/);
  bench.runtime.last.exit(0);
});

test('limits reach interfaces and the log, while it runs and when it starts again', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, {
    network: network({ networks: [{ network: 'bridge', aliases: [] }] }),
  });
  await containers.start(id);
  const endpoint = () => containers.inspect(id).networks[0]?.endpointId ?? '';
  const rates = { egressBytesPerSecond: 5000 };
  await containers.update(id, {
    limits: { network: rates, log: { maxBytes: 70_000, maxFiles: null } },
  });
  assert.deepEqual(bench.network.limited.get(endpoint()), rates);
  assert.deepEqual(bench.runtime.last.logLimits, [{ maxBytes: 70_000, maxFiles: 0 }]);
  await containers.kill(id);
  await containers.start(id);
  assert.deepEqual(bench.network.limited.get(endpoint()), rates);
  const { log } = bench.runtime.launched.at(-1)?.request ?? {};
  assert.deepEqual([log?.maxBytes, log?.maxFiles], [70_000, 0]);
  await containers.update(id, { limits: { network: { egressBytesPerSecond: null } } });
  assert.deepEqual(bench.network.limited.get(endpoint()), { egressBytesPerSecond: null });
  bench.runtime.last.exit(0);
});

test('limits of what a container does not have are refused', async (t) => {
  const bench = await workbench(t);
  const limit = async (change: Parameters<typeof create>[1], limits: Limits) =>
    bench.engine.containers.update(await create(bench, change), { limits });
  const rates = { network: { ingressBytesPerSecond: 5000 } };
  await assert.rejects(limit({ network: network('host') }, rates), /the machine's own network/);
  await assert.rejects(limit({ network: network({ container: 'db' }) }, rates), /network of db/);
  await assert.rejects(limit({ log: { driver: 'none', options: {} } }, { log: {} }), /no log/);
});
