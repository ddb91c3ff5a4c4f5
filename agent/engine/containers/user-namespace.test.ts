import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MountSettings } from '../../contract/container.ts';
import { create, workbench } from '../testdata/workbench.ts';
import { rangeLength } from './id-range.ts';

const namespaces = {
  pid: 'private',
  ipc: 'private',
  uts: 'private',
  cgroup: 'private',
} as const;
const specOf = ({ runtime }: Awaited<ReturnType<typeof workbench>>) => {
  const spec = runtime.launched.at(-1)?.request.spec;
  assert.ok(spec);
  return spec;
};
const userOf = (bench: Awaited<ReturnType<typeof workbench>>) =>
  specOf(bench).linux.namespaces.find(({ type }) => type === 'user');

test('the machine’s default decides for who says nothing, at the time of the create', async (t) => {
  const plain = await workbench(t);
  await plain.engine.containers.start(await create(plain, {}));
  assert.equal(userOf(plain), undefined);
  await plain.engine.containers.start(
    await create(plain, { namespaces: { ...namespaces, user: 'auto' } }),
  );
  assert.deepEqual(userOf(plain), { type: 'user' });

  const remapping = await workbench(t, { remapByDefault: true });
  await remapping.engine.containers.start(await create(remapping, {}));
  assert.deepEqual(userOf(remapping), { type: 'user' });
  await remapping.engine.containers.start(
    await create(remapping, { namespaces: { ...namespaces, user: 'host' } }),
  );
  assert.equal(userOf(remapping), undefined);
});

test('each has ids of its own, and keeps them over restarts of the agent', async (t) => {
  const bench = await workbench(t, { remapByDefault: true });
  const firsts = new Map<string, number>();
  for (let number = 0; number < 5; number++) {
    const id = await create(bench, {});
    await bench.engine.containers.start(id);
    const [mapping] = specOf(bench).linux.uidMappings ?? [];
    assert.deepEqual(specOf(bench).linux.gidMappings, [mapping]);
    assert.deepEqual([mapping?.containerID, mapping?.size], [0, rangeLength]);
    firsts.set(id, mapping?.hostID ?? 0);
    await bench.engine.containers.kill(id, 'KILL');
  }
  assert.equal(new Set(firsts.values()).size, 5);
  const engine = await bench.reopen();
  for (const [id, first] of firsts) {
    await engine.containers.start(id);
    assert.equal(specOf(bench).linux.uidMappings?.[0]?.hostID, first);
  }
});

test('own volumes and what asks for it are mapped, other binds and named directories are not', async (t) => {
  const bench = await workbench(t, { remapByDefault: true });
  const bind = { type: 'bind' as const, readOnly: false, createSource: false, recursive: true };
  const volume = { type: 'volume' as const, readOnly: false, noCopy: true, labels: {} };
  const mounts: MountSettings[] = [
    { ...bind, source: '/', target: '/plain' },
    { ...bind, source: '/', target: '/mapped', mapIds: true },
    { ...volume, name: 'own', target: '/own', driverOptions: {} },
    {
      ...volume,
      name: 'named',
      target: '/named',
      driverOptions: { type: 'none', o: 'bind', device: '/tmp' },
    },
  ];
  await bench.engine.containers.start(await create(bench, { mounts }));
  const mapped = specOf(bench)
    .mounts.filter(({ options }) => options?.some((option) => /^r?idmap$/.test(option)))
    .map(({ destination }) => destination);
  assert.deepEqual(mapped.toSorted(), [
    '/etc/hostname',
    '/etc/hosts',
    '/etc/resolv.conf',
    '/mapped',
    '/own',
  ]);
});

test('what needs the machine’s root is refused at create, in dockerd’s words', async (t) => {
  const bench = await workbench(t, { remapByDefault: true });
  const settings = bench.engine.containers.inspect(await create(bench, {})).settings;
  const cases = [
    [{ security: { ...settings.security, privileged: true } }, /^privileged mode is incompatible/],
    [
      { network: { ...settings.network, mode: 'host' as const } },
      /^cannot share the host's network/,
    ],
    [
      { namespaces: { ...namespaces, pid: 'host' as const } },
      /^cannot share the host PID namespace/,
    ],
  ] as const;
  for (const [change, message] of cases)
    await assert.rejects(create(bench, change), { kind: 'invalid', message });
});
