/** What is said and warned of, over facts that tests choose; the real kernel's are in agent/e2e. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MountSettings } from '../../contract/container.ts';
import type { IsolationReport } from '../../contract/isolation.ts';
import { capabilityNames, defaultCapabilities } from '../../runtime/capabilities.ts';
import { create, settings, workbench } from '../testdata/workbench.ts';
import { capabilityMeanings } from './capability-meanings.data.ts';
import type { IsolationView } from './view.ts';

const limited = { memory: { maxBytes: 64e6 }, cpu: { quotaMicros: 50_000 }, pids: 50 };
const safe = { ...settings().security, seccomp: 'default' as const };
const ids = ({ warnings }: IsolationReport) => warnings.map(({ id }) => id);
const bind = (source: string, readOnly = false): MountSettings => ({
  ...{ type: 'bind', source, target: `/in${source}`, readOnly },
  ...{ createSource: false, recursive: true },
});

test('a limited default container is warned of in nothing; every item has its sentence', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench, { limits: limited, security: safe }, 'web');
  const report = await bench.engine.containers.isolation('web');
  assert.deepEqual([report.containerId, report.name, report.source], [id, 'web', 'plan']);
  assert.deepEqual(report.warnings, []);
  assert.equal(report.capabilities.length, capabilityNames.length);
  assert.deepEqual(
    report.capabilities.filter(({ sets }) => sets.length > 0).map(({ name }) => name),
    [...defaultCapabilities],
  );
  const items = [
    ...[report.namespaces, report.capabilities, report.privileges, report.mounts].flat(),
    ...[report.kernelPaths, report.devices, report.resourceLimits].flat(),
    ...[report.identity, report.controlGroup],
  ];
  for (const { id: itemId, meaning } of items) {
    assert.match(itemId, /^[a-z]+(-[a-z]+)*(\.[A-Za-z0-9_-]+)*$/);
    assert.match(meaning, /^[A-Z].*\.$/, itemId);
  }
  for (const name of capabilityNames) assert.ok(capabilityMeanings[name], name);
});

test('privileged is one warning, and the gravest', async (t) => {
  const bench = await workbench(t);
  const security = { ...safe, privileged: true, seccomp: 'unconfined' as const };
  await create(bench, { security, namespaces: { ...settings().namespaces, pid: 'host' } }, 'all');
  const report = await bench.engine.containers.isolation('all');
  assert.deepEqual(ids(report), ['warning.privileged', 'warning.host-pid', 'warning.no-limits']);
  assert.ok(report.warnings.every(({ meaning, remedy }) => meaning !== '' && remedy !== ''));
  assert.equal(report.devices[0]?.id, 'device.all');
});

test('each weakening by itself has its warning', async (t) => {
  const bench = await workbench(t);
  const namespaces = settings().namespaces;
  const network = { ...settings().network, mode: 'host' as const };
  const cases: [change: Parameters<typeof create>[1], warnings: string[]][] = [
    [{ network }, ['warning.host-network']],
    [{ namespaces: { ...namespaces, ipc: 'host' } }, ['warning.host-ipc']],
    [{ namespaces: { ...namespaces, uts: 'host' } }, ['warning.host-uts']],
    [{ namespaces: { ...namespaces, cgroup: 'host' } }, ['warning.host-cgroup']],
    [{ security: { ...safe, addCapabilities: ['NET_ADMIN'] } }, ['warning.capability']],
    [{ security: { ...safe, seccomp: 'unconfined' } }, ['warning.seccomp-off']],
    [{ security: { ...safe, noNewPrivileges: false } }, ['warning.new-privileges']],
    [{ security: { ...safe, deviceRules: ['b 8:* rw'] } }, ['warning.device']],
    [{ security: { ...safe, maskedPaths: [], readonlyPaths: [] } }, ['warning.open-paths']],
    [{ limits: {} }, ['warning.no-limits']],
    [{ limits: { ...limited, pids: null } }, ['warning.no-limits']],
    [{ mounts: [bind('/etc')] }, ['warning.system-bind']],
    [{ mounts: [bind('/etc', true)] }, []],
    [{ mounts: [bind('/etc/ssl')] }, ['warning.system-bind']],
  ];
  for (const [change, expected] of cases) {
    const id = await create(bench, { limits: limited, security: safe, ...change });
    const report = await bench.engine.containers.isolation(id);
    assert.deepEqual(ids(report), expected, JSON.stringify(change));
  }
});

test('a folder of one’s own is a small warning; sockets, and folders that hold an engine’s, are not', async (t) => {
  const bench = await workbench(t);
  const directory = mkdtempSync(join(tmpdir(), 'corten-binds-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const listen = async (path: string) => {
    const server = createServer().listen(path);
    await new Promise((ready) => server.once('listening', ready));
    t.after(() => server.close());
  };
  mkdirSync(join(directory, 'data'));
  await listen(join(directory, 'docker.sock'));
  await listen(join(directory, 'other.sock'));
  await listen(join(bench.paths.run, 'docker.sock'));
  const cases: [source: string, readOnly: boolean, warnings: string[]][] = [
    [join(directory, 'data'), false, ['warning.writable-bind']],
    [join(directory, 'data'), true, []],
    [join(directory, 'docker.sock'), true, ['warning.engine-socket']],
    [join(directory, 'other.sock'), true, ['warning.host-socket']],
    [bench.paths.run, true, ['warning.engine-socket']],
    [join(bench.paths.run, 'docker.sock'), false, ['warning.engine-socket']],
  ];
  for (const [source, readOnly, expected] of cases) {
    const mounts = [bind(source, readOnly)];
    const id = await create(bench, { limits: limited, security: safe, mounts });
    const report = await bench.engine.containers.isolation(id);
    assert.deepEqual(ids(report), expected, source);
  }
});

test('a plan names the containers it would join, running or not', async (t) => {
  const bench = await workbench(t);
  const db = await create(bench, {}, 'db');
  const namespaces = { ...settings().namespaces, pid: { container: 'db' }, ipc: { container: db } };
  await create(
    bench,
    { namespaces, network: { ...settings().network, mode: { container: 'gone' } } },
    'web',
  );
  const { namespaces: facts } = await bench.engine.containers.isolation('web');
  const shared = facts
    .filter(({ scope }) => scope === 'shared')
    .map(({ type, sharedWith }) => [type, ...sharedWith.map(({ name }) => name)]);
  assert.deepEqual(shared, [
    ['pid', 'db'],
    ['network', 'gone'],
    ['ipc', 'db'],
  ]);
});

test('a plan with a user namespace: root is mapped, also of a container that joins another', async (t) => {
  const bench = await workbench(t, { remapByDefault: true });
  const db = await create(bench, {}, 'db');
  const own = await bench.engine.containers.isolation(db);
  assert.equal(own.identity.id, 'identity.mapped-root');
  assert.equal(own.identity.uid, 0);
  assert.ok(own.identity.hostUid >= 0x7000_0000);
  const network = { ...settings().network, mode: { container: 'db' } };
  const web = await bench.engine.containers.isolation(await create(bench, { network }));
  assert.equal(web.identity.hostUid, own.identity.hostUid);
  const user = web.namespaces.find(({ type }) => type === 'user');
  assert.deepEqual([user?.scope, user?.sharedWith.map(({ name }) => name)], ['shared', ['db']]);
});

test('what the kernel gives beyond what was asked for is the first warning; less is none', async (t) => {
  let change: Partial<IsolationView> = {};
  const bench = await workbench(t, {
    kernelViews: {
      isolation: () => ({ ...quiet(), ...change }),
      processes: () => Promise.reject(new Error('not asked for')),
      close: () => {},
    },
  });
  const id = await create(bench, { limits: limited, security: safe });
  await bench.engine.containers.start(id);
  t.after(() => bench.runtime.last.exit(0));
  const own = quiet();
  const cases: [Partial<IsolationView>, subject: string | undefined][] = [
    [{}, undefined],
    [{ capabilities: { ...own.capabilities, bounding: [] } }, undefined],
    [{ capabilities: { ...own.capabilities, bounding: ['CAP_SYS_ADMIN'] } }, 'CAP_SYS_ADMIN'],
    [{ seccomp: 'none' }, 'no seccomp filter'],
    [{ noNewPrivileges: false }, 'no_new_privs off'],
    [
      { namespaces: [{ type: 'pid', scope: 'host', sharedWith: [] }] },
      'the machine’s pid namespace',
    ],
    [{ namespaces: [{ type: 'time', scope: 'host', sharedWith: [] }] }, undefined],
    [{ kernelPaths: new Map([['/proc/kcore', 'open']]) }, '/proc/kcore'],
    [{ kernelPaths: new Map([['/proc/kcore', 'absent']]) }, undefined],
    [{ controllers: [pids('/')] }, 'another pids control group'],
    [{ controllers: [pids(`/corten-1/${id}`)] }, undefined],
    [{ controllers: [pids(`/corten-1/${id}/below`)] }, undefined],
  ];
  for (const [view, subject] of cases) {
    change = view;
    const { warnings, source } = await bench.engine.containers.isolation(id);
    const drift = warnings.find((warning) => warning.id === 'warning.more-than-asked');
    assert.deepEqual([source, drift?.subject], ['kernel', subject], JSON.stringify(view));
    if (drift) assert.equal(warnings[0], drift);
  }
});

test('limits are input by the kernel’s files, not by what was asked for', async (t) => {
  let files: [string, string][] = [];
  const bench = await workbench(t, {
    kernelViews: {
      isolation: () => ({
        ...quiet(),
        controllers: [
          {
            ...{ controller: 'all', directory: '/d' },
            values: files.map(([file, value]) => ({ file, value })),
          },
        ],
      }),
      processes: () => Promise.reject(new Error('not asked for')),
      close: () => {},
    },
  });
  const id = await create(bench, { limits: limited, security: safe });
  await bench.engine.containers.start(id);
  t.after(() => bench.runtime.last.exit(0));
  const cases: [[string, string][], string | undefined][] = [
    [
      [
        ['memory.max', 'max'],
        ['cpu.max', 'max 100000'],
        ['pids.max', 'max'],
      ],
      'memory, CPU, processes',
    ],
    [
      [
        ['memory.max', '1048576'],
        ['cpu.max', '5000 100000'],
        ['pids.max', '9'],
      ],
      undefined,
    ],
    [
      [
        ['memory.limit_in_bytes', '9223372036854771712'],
        ['cpu.cfs_quota_us', '-1'],
      ],
      'memory, CPU',
    ],
  ];
  for (const [values, subject] of cases) {
    files = values;
    const { warnings } = await bench.engine.containers.isolation(id);
    const found = warnings.find((warning) => warning.id === 'warning.no-limits');
    assert.equal(found?.subject, subject);
  }
});

/** A default container as the kernel would show it, in the parts that warnings look at. */
function quiet(): IsolationView {
  const held = [...defaultCapabilities];
  return {
    namespaces: [],
    controllers: [],
    capabilities: {
      ...{ effective: held, permitted: held, bounding: held },
      ...{ ambient: [], inheritable: [] },
    },
    noNewPrivileges: true,
    seccomp: 'filter',
    securityLabel: undefined,
    ...{ uid: 0, gid: 0, groups: [], uidMap: [], gidMap: [] },
    ...{ mounts: [], unlistedMounts: 0, kernelPaths: new Map() },
    devices: { source: 'kernel', rules: [] },
    resourceLimits: [],
  };
}

function pids(membership: string): IsolationView['controllers'][number] {
  const values = [{ file: 'pids.max', value: '50' }];
  return { controller: 'pids', directory: '/sys/fs/cgroup/pids/x', membership, values };
}
