import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSettings, MountView } from '../../contract/container.ts';
import { plainNetwork, plainSecurity, plainSettings } from '../../contract/testdata/settings.ts';
import { capabilityNames, defaultCapabilities } from '../../runtime/capabilities.ts';
import { defaultDeviceRules } from '../../runtime/default-spec.ts';
import { parseDeviceRule } from './devices.ts';
import { processOfExec } from './process.ts';
import { buildSpec, type SpecInput } from './spec.ts';

function security(change: Partial<ContainerSettings['security']> = {}) {
  return { ...plainSecurity, ...change };
}

function build(change: Partial<ContainerSettings> = {}, input: Partial<SpecInput> = {}) {
  return buildSpec({
    settings: plainSettings(change),
    process: { path: '/bin/sh', args: ['-c', 'true'], env: [], workingDirectory: '', user: '' },
    hostname: 'box',
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
    mounts: [],
    files: { hosts: '/s/hosts', hostname: '/s/hostname', resolvConf: '/s/resolv.conf' },
    join: {},
    ...input,
  });
}

const mountAt = (built: ReturnType<typeof build>, destination: string) =>
  built.spec.mounts.find((mount) => mount.destination === destination);

function bind(target: string, change: Partial<MountView> = {}): MountView {
  return { type: 'bind', source: '/host', target, readOnly: false, propagation: '', ...change };
}

test('a plain container has every namespace, the default capabilities and a filter', () => {
  const { spec, deviceRules } = build();
  assert.deepEqual(
    spec.linux.namespaces.map(({ type }) => type),
    ['mount', 'pid', 'ipc', 'uts', 'network', 'cgroup'],
  );
  assert.deepEqual(spec.process.capabilities, {
    bounding: [...defaultCapabilities],
    effective: [...defaultCapabilities],
    permitted: [...defaultCapabilities],
    inheritable: [],
    ambient: [],
  });
  assert.equal(spec.process.noNewPrivileges, true);
  assert.ok(spec.linux.seccomp);
  assert.ok(spec.linux.maskedPaths?.includes('/proc/kcore'));
  assert.ok(spec.linux.readonlyPaths?.includes('/proc/sys'));
  assert.deepEqual(deviceRules, [...defaultDeviceRules]);
  assert.ok(mountAt({ spec, deviceRules }, '/sys')?.options?.includes('ro'));
  assert.ok(mountAt({ spec, deviceRules }, '/sys/fs/cgroup')?.options?.includes('ro'));
});

test('the environment has dockerd’s variables under the container’s', () => {
  const process = {
    path: 'x',
    args: [],
    env: ['A=1', 'HOME=/own'],
    workingDirectory: '/w',
    user: '',
  };
  const { env, cwd } = build({ terminal: true }, { process }).spec.process;
  assert.deepEqual(env, [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=box',
    'TERM=xterm',
    'HOME=/own',
    'A=1',
  ]);
  assert.equal(cwd, '/w');
  assert.ok(build().spec.process.env.includes('HOME=/root'));
});

test('a user other than root holds no capability, and keeps the bounding set', () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [1000, 44], home: '/home/web' };
  const { capabilities, user: processUser } = build({}, { user }).spec.process;
  assert.deepEqual(capabilities?.effective, []);
  assert.deepEqual(capabilities?.permitted, []);
  assert.deepEqual(capabilities?.ambient, []);
  assert.equal(capabilities?.bounding?.length, 14);
  assert.deepEqual(processUser, { uid: 1000, gid: 1000, additionalGids: [1000, 44] });
});

test('privileged lifts capabilities, masks, device rules and read-only mounts', () => {
  const built = build({ security: security({ privileged: true, seccomp: 'unconfined' }) });
  assert.equal(built.spec.process.capabilities?.effective?.length, capabilityNames.length);
  assert.deepEqual(built.spec.linux.maskedPaths, []);
  assert.deepEqual(built.spec.linux.readonlyPaths, []);
  assert.equal(built.spec.linux.seccomp, undefined);
  assert.deepEqual(built.deviceRules, [{ allow: true, type: 'a', access: 'rwm' }]);
  assert.ok(!mountAt(built, '/sys')?.options?.includes('ro'));
  assert.ok(!mountAt(built, '/sys/fs/cgroup')?.options?.includes('ro'));
  assert.ok(built.spec.linux.devices?.some(({ path }) => path === '/dev/null'));
  assert.ok(!built.spec.linux.devices?.some(({ path }) => path.startsWith('/dev/pts')));
});

test('host and joined namespaces', () => {
  const host = build({
    namespaces: { pid: 'host', ipc: 'host', uts: 'host', cgroup: 'host' },
    network: { ...plainNetwork, mode: 'host' },
  });
  assert.deepEqual(host.spec.linux.namespaces, [{ type: 'mount' }]);
  assert.equal(host.spec.hostname, undefined);
  assert.equal(host.spec.linux.sysctl?.['net.ipv4.ip_unprivileged_port_start'], undefined);
  assert.equal(mountAt(host, '/dev/shm')?.source, '/dev/shm');

  const joined = build(
    {
      namespaces: { pid: 'private', ipc: { container: 'a' }, uts: 'private', cgroup: 'private' },
      network: { ...plainNetwork, mode: { container: 'a' } },
    },
    {
      join: { ipc: '/proc/7/ns/ipc', network: '/proc/7/ns/net' },
      sharedMemory: '/proc/7/root/dev/shm',
    },
  );
  const path = (type: string) =>
    joined.spec.linux.namespaces.find((namespace) => namespace.type === type)?.path;
  assert.equal(path('ipc'), '/proc/7/ns/ipc');
  assert.equal(path('network'), '/proc/7/ns/net');
  assert.equal(mountAt(joined, '/dev/shm')?.source, '/proc/7/root/dev/shm');
});

test('sysctls go on top of the defaults of a private network', () => {
  const { sysctl } = build({ sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } }).spec.linux;
  assert.equal(sysctl?.['net.ipv4.ip_unprivileged_port_start'], '80');
  assert.equal(sysctl?.['net.ipv4.ping_group_range'], '0 2147483647');
});

test('binds carry propagation and read-only to what lies below', () => {
  const bindSettings = (recursive: boolean) => ({
    type: 'bind' as const,
    source: '/host',
    target: '/data',
    readOnly: true,
    createSource: false,
    recursive,
  });
  const built = build(
    { mounts: [bindSettings(true)] },
    { mounts: [bind('/data', { readOnly: true })] },
  );
  assert.deepEqual(mountAt(built, '/data')?.options, ['rbind', 'rprivate', 'ro', 'rro']);
  const flat = build(
    { mounts: [bindSettings(false)] },
    { mounts: [bind('/data/', { readOnly: true })] },
  );
  assert.deepEqual(mountAt(flat, '/data')?.options, ['bind', 'rprivate', 'ro']);
  const shared = build({}, { mounts: [bind('/data', { propagation: 'rshared' })] });
  assert.equal(shared.spec.linux.rootfsPropagation, 'shared');
});

test('mounts that are asked for replace the defaults, parents come first', () => {
  const built = build({}, { mounts: [bind('/a/b'), bind('/dev'), bind('/etc/hosts'), bind('/a')] });
  const destinations = built.spec.mounts.map(({ destination }) => destination);
  assert.ok(destinations.indexOf('/a') < destinations.indexOf('/a/b'));
  assert.equal(mountAt(built, '/dev')?.source, '/host');
  assert.equal(mountAt(built, '/etc/hosts')?.source, '/host');
  assert.equal(mountAt(built, '/dev/pts'), undefined);
  assert.equal(destinations.filter((one) => one === '/etc/hosts').length, 1);
});

test('tmpfs takes sizes, modes and flags, and nothing it does not know', () => {
  const tmpfs = (options: string[]) => ({
    mounts: [{ type: 'tmpfs' as const, target: '/t', options, sizeBytes: 4096, mode: 0o1770 }],
  });
  assert.deepEqual(mountAt(build(tmpfs(['exec', 'uid=5'])), '/t')?.options, [
    'noexec',
    'nosuid',
    'nodev',
    'exec',
    'uid=5',
    'size=4096',
    'mode=1770',
  ]);
  assert.throws(() => build(tmpfs(['nope'])), /Invalid tmpfs option "nope"/);
  assert.throws(() => build(tmpfs(['lowerdir=/x'])), /Invalid tmpfs option/);
});

test('a read-only root makes the three files read-only too', () => {
  const built = build({ readOnlyRootfs: true });
  assert.equal(built.spec.root.readonly, true);
  assert.ok(mountAt(built, '/etc/hosts')?.options?.includes('ro'));
});

test('shm has its size', () => {
  assert.ok(mountAt(build({ shmBytes: 1 << 20 }), '/dev/shm')?.options?.includes('size=1048576'));
  assert.ok(mountAt(build(), '/dev/shm')?.options?.includes('size=67108864'));
});

test('ulimits are checked and named for the kernel', () => {
  const ulimits = [
    { name: 'nofile', soft: 10, hard: 20 },
    { name: 'core', soft: -1, hard: -1 },
  ];
  assert.deepEqual(build({ ulimits }).spec.process.rlimits, [
    { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
    { type: 'RLIMIT_CORE', soft: -1, hard: -1 },
  ]);
  const bad = (name: string, soft: number, hard: number) => () =>
    build({ ulimits: [{ name, soft, hard }] });
  assert.throws(bad('nofile', 30, 20), /soft limit must be less than or equal to hard limit/);
  assert.throws(bad('nofile', -1, 20), /soft limit/);
  assert.throws(bad('nope', 1, 1), /invalid ulimit type: nope/);
});

test('devices get a node and a rule', () => {
  const device = { hostPath: '/dev/zero', containerPath: '/dev/own', permissions: 'r' };
  const built = build({ security: security({ devices: [device], deviceRules: ['b 8:* rw'] }) });
  const node = built.spec.linux.devices?.[0];
  assert.deepEqual([node?.path, node?.type, node?.major, node?.minor], ['/dev/own', 'c', 1, 5]);
  assert.deepEqual(built.deviceRules.slice(-2), [
    { allow: true, type: 'c', major: 1, minor: 5, access: 'r' },
    { allow: true, type: 'b', major: 8, access: 'rw' },
  ]);
  const missing = { ...device, hostPath: '/dev/nope' };
  assert.throws(
    () => build({ security: security({ devices: [missing] }) }),
    /custom device "\/dev\/nope": no such file/,
  );
  const plain = { ...device, hostPath: '/etc/passwd' };
  assert.throws(() => build({ security: security({ devices: [plain] }) }), /not a device node/);
});

test('device rules are strict', () => {
  assert.deepEqual(parseDeviceRule('c *:3 m'), { allow: true, type: 'c', minor: 3, access: 'm' });
  assert.deepEqual(parseDeviceRule('a *:* rwm'), { allow: true, type: 'a', access: 'rwm' });
  for (const rule of ['', 'c 1:3', 'd 1:3 r', 'c -1:3 r', 'c 1:3 x', 'a 1:3 r'])
    assert.throws(() => parseDeviceRule(rule), /invalid device cgroup rule format/, rule);
});

test('lists of paths may be replaced, also by nothing', () => {
  const { linux } = build({ security: security({ maskedPaths: [], readonlyPaths: ['/x'] }) }).spec;
  assert.deepEqual(linux.maskedPaths, []);
  assert.deepEqual(linux.readonlyPaths, ['/x']);
});

test('seccomp follows the capabilities, or the profile that was given', () => {
  const names = (change: Partial<ContainerSettings['security']>) =>
    build({ security: security(change) }).spec.linux.seccomp?.syscalls.flatMap(
      (rule) => rule.names,
    );
  assert.ok(!names({})?.includes('mount'));
  assert.ok(names({ addCapabilities: ['SYS_ADMIN'] })?.includes('mount'));
  const profile =
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}';
  assert.deepEqual(names({ seccomp: { profile } }), ['chmod']);
  assert.equal(names({ seccomp: 'unconfined' }), undefined);
});

test('an exec has the container’s environment, directory and capabilities', () => {
  const input = {
    settings: plainSettings({ security: security({ dropCapabilities: ['ALL'] }) }),
    process: { path: 'x', args: [], env: ['A=1', 'B=2'], workingDirectory: '/w', user: '' },
    hostname: 'box',
    user: { uid: 0, gid: 0, additionalGids: [0], home: '/root' },
  };
  const exec = { args: ['ls'], env: ['A=3'], terminal: true, privileged: false };
  const process = processOfExec({ ...input, exec });
  assert.deepEqual(process.env.slice(-2), ['A=3', 'B=2']);
  assert.ok(process.env.includes('TERM=xterm'));
  assert.equal(process.cwd, '/w');
  assert.deepEqual(process.capabilities?.effective, []);
  const privileged = processOfExec({ ...input, exec: { ...exec, privileged: true } });
  assert.equal(privileged.capabilities?.effective?.length, capabilityNames.length);
});
