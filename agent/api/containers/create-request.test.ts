/** The refusals below were recorded from dockerd 26.1.5, message by message. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLog } from '../../contract/limits.ts';
import { notFound } from '../../errors.ts';
import { Fields } from '../fields.ts';
import { viewOf } from '../testdata/views.ts';
import { readCreateRequest } from './create-request.ts';

const containers = {
  inspect: (reference: string) => {
    if (reference !== 'web') throw notFound(`No such container: ${reference}`);
    return viewOf({
      mounts: [
        {
          type: 'volume',
          name: 'data',
          source: '/v',
          target: '/data',
          readOnly: false,
          propagation: '',
        },
        { type: 'bind', source: '/etc', target: '/etc2', readOnly: true, propagation: 'rprivate' },
        { type: 'tmpfs', source: '', target: '/tmp', readOnly: false, propagation: '' },
      ],
    });
  },
};

function read(body: object, name?: string) {
  return readCreateRequest(new Fields(body), { name }, containers);
}

function readHost(host: object) {
  return read({ Image: 'bb', HostConfig: host }).settings;
}

const refusedBodies: [body: object, message: string][] = [
  [{}, 'config cannot be empty in order to create a container'],
  [
    { Image: 'bb', WorkingDir: 'x' },
    "the working directory 'x' is invalid, it needs to be an absolute path",
  ],
  [{ Image: 'bb', Env: ['=x'] }, 'invalid environment variable: =x'],
  [{ Image: 'bb', StopSignal: 'FOO' }, 'invalid signal: FOO'],
  [
    { Image: 'bb', Healthcheck: { Interval: 5 } },
    'Interval in Healthcheck cannot be less than 1ms',
  ],
  [{ Image: 'bb', Healthcheck: { Timeout: 5 } }, 'Timeout in Healthcheck cannot be less than 1ms'],
  [
    { Image: 'bb', Healthcheck: { StartPeriod: 5 } },
    'StartPeriod in Healthcheck cannot be less than 1ms',
  ],
  [
    { Image: 'bb', Healthcheck: { StartInterval: 5 } },
    'StartInterval in Healthcheck cannot be less than 1ms',
  ],
  [{ Image: 'bb', Healthcheck: { Retries: -5 } }, 'Retries in Healthcheck cannot be negative'],
  [{ Image: 'bb', Entrypoint: [''] }, 'no command specified'],
  [
    { Image: 'bb', Hostname: 'x', HostConfig: { NetworkMode: 'container:web' } },
    'conflicting options: hostname and the network mode',
  ],
  [
    { Image: 'bb', Hostname: 'x', HostConfig: { UTSMode: 'host' } },
    'conflicting options: hostname and the UTS mode',
  ],
  [{ Image: 'bb', MacAddress: 'zz' }, 'invalid config for network bridge: invalid MAC address zz'],
  [{ Image: 'bb', ExposedPorts: { x: {} } }, 'invalid port specification: "x"'],
];

for (const [body, message] of refusedBodies) {
  test(`create refuses ${JSON.stringify(body)}`, () => {
    assert.throws(() => read(body), { kind: 'invalid', message });
  });
}

const refusedHosts: [host: object, message: string | RegExp][] = [
  [
    { RestartPolicy: { Name: 'foo' } },
    "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [
    { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
    "invalid restart policy: maximum retry count can only be used with 'on-failure'",
  ],
  [
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -3 } },
    'invalid restart policy: maximum retry count cannot be negative',
  ],
  [
    { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    "can't create 'AutoRemove' container with restart policy",
  ],
  [{ ExtraHosts: ['x'] }, 'bad format for add-host: "x"'],
  [{ ExtraHosts: ['x:zz'] }, 'invalid IP address in add-host: "zz"'],
  [{ PortBindings: { 'x/tcp': [] } }, 'invalid port specification: "x"'],
  [{ PortBindings: { '80/tcp': [{ HostPort: '99999' }] } }, 'invalid port specification: "99999"'],
  [{ Memory: 1 }, 'Minimum memory limit allowed is 6MB'],
  [
    { Memory: 10000000, MemorySwap: 5000000 },
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  ],
  [
    { MemorySwap: 5000000 },
    'You should always set the Memory limit when using Memoryswap limit, see usage',
  ],
  [{ MemorySwappiness: 101 }, 'Invalid value: 101, valid memory swappiness range is 0-100'],
  [
    { Memory: 10000000, MemoryReservation: 20000000 },
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  ],
  [{ MemoryReservation: 1 }, 'Minimum memory reservation allowed is 6MB'],
  [
    { NanoCpus: 1e9, CpuPeriod: 1000 },
    'Conflicting options: Nano CPUs and CPU Period cannot both be set',
  ],
  [
    { NanoCpus: 1e9, CpuQuota: 1000 },
    'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
  ],
  [
    { NanoCpus: 1e15 },
    /^Range of CPUs is from 0\.01 to \d+\.00, as there are only \d+ CPUs available$/,
  ],
  [{ NanoCpus: -1 }, /^Range of CPUs is from 0\.01/],
  [
    { CpuPeriod: 1 },
    'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
  ],
  [{ CpuQuota: 1 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
  [{ CpusetCpus: 'a' }, 'Invalid value a for cpuset cpus: invalid format: a'],
  [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
  [{ OomScoreAdj: 5000 }, 'Invalid value 5000, range for oom score adj is [-1000, 1000]'],
  [
    { NetworkMode: 'container:' },
    'Invalid network mode: invalid container format container:<name|id>',
  ],
  [{ IpcMode: 'foo' }, 'invalid IPC mode: foo'],
  [{ PidMode: 'foo' }, 'invalid PID mode: foo'],
  [{ UTSMode: 'foo' }, 'invalid UTS mode: foo'],
  [{ CgroupnsMode: 'foo' }, 'invalid cgroup namespace mode: foo'],
  [{ Isolation: 'foo' }, 'Invalid isolation: "foo" - linux only supports \'default\''],
  [{ Runtime: 'foo' }, 'unknown or invalid runtime name: foo'],
  [
    { Binds: ['/a:b'] },
    "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' mount path must be absolute",
  ],
  [{ Binds: ['aa:/b:zz'] }, /invalid mode: zz$/],
  [{ Binds: ['/a:/b:ro,rw'] }, /invalid mode: ro,rw$/],
  [
    { Binds: ['x/y:/b'] },
    'create x/y: "x/y" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ],
  [
    { Binds: ['a:/b'] },
    'create a: volume name is too short, names should be at least two alphanumeric characters',
  ],
  [{ Binds: ['/a:/b:/c:ro'] }, "invalid volume specification: '/a:/b:/c:ro'"],
  [{ Binds: [':/b'] }, "invalid volume specification: ':/b'"],
  [
    { Binds: ['/a:/'] },
    "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
  ],
  [{ Binds: ['/a:/b', '/c:/b'] }, 'Duplicate mount point: /b'],
  [{ Binds: ['/a:/b'], Tmpfs: { '/b/': '' } }, 'Duplicate mount point: /b'],
  [
    { Binds: ['/a:/b:nocopy'] },
    'invalid volume specification: \'/a:/b:nocopy\': invalid mount config for type "bind": field VolumeOptions must not be specified',
  ],
  [
    { Binds: ['vol:/b:rshared'] },
    'invalid volume specification: \'vol:/b:rshared\': invalid mount config for type "volume": field BindOptions must not be specified',
  ],
  [
    { Mounts: [{ Type: 'foo', Target: '/x' }] },
    'invalid mount config for type "foo": mount type unknown',
  ],
  [
    { Mounts: [{ Type: 'bind', Target: '/x' }] },
    'invalid mount config for type "bind": field Source must not be empty',
  ],
  [
    { Mounts: [{ Type: 'bind', Source: 'x', Target: '/x' }] },
    'invalid mount config for type "bind": invalid mount path: \'x\' mount path must be absolute',
  ],
  [
    { Mounts: [{ Type: 'volume', Source: 'vv' }] },
    'invalid mount config for type "volume": field Target must not be empty',
  ],
  [
    { Mounts: [{ Type: 'tmpfs', Source: 'vv', Target: '/x' }] },
    'invalid mount config for type "tmpfs": field Source must not be specified',
  ],
  [
    { Mounts: [{ Type: 'volume', Target: '/x', BindOptions: {} }] },
    'BindOptions must not be specified on mount type "volume"',
  ],
  [{ CapAdd: ['FOO'] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
  [{ CapDrop: ['FOO'] }, 'invalid CapDrop: unknown capability: "CAP_FOO"'],
  [{ SecurityOpt: ['foo'] }, 'invalid --security-opt 1: "foo"'],
  [{ SecurityOpt: ['foo=bar'] }, 'invalid --security-opt 2: "foo=bar"'],
  [{ SecurityOpt: ['no-new-privileges=x'] }, 'invalid --security-opt 2: "no-new-privileges=x"'],
  [{ SecurityOpt: ['seccomp'] }, 'invalid --security-opt 1: "seccomp"'],
  [{ SecurityOpt: ['seccomp={bad'] }, /^decoding seccomp profile failed/],
  [{ Tmpfs: { '/x': 'foo=bar' } }, 'invalid tmpfs option ["foo=bar"]'],
  [{ Tmpfs: { x: '' } }, "invalid mount path: 'x' mount path must be absolute"],
  [{ LogConfig: { Type: 'foo' } }, /^error looking up logging plugin foo: plugin "foo" not found/],
  [{ Ulimits: [{ Name: 'foo', Soft: 1, Hard: 1 }] }, 'invalid ulimit type: foo'],
  [{ Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 1 }] }, /soft limit must be less than or equal/],
  [{ VolumesFrom: ['nope'] }, 'No such container: nope'],
  [{ BlkioWeight: 5 }, 'Range of blkio weight is from 10 to 1000'],
  [{ Memory: 'x' }, 'invalid JSON: HostConfig.Memory must be a whole number, not "x"'],
];

for (const [host, message] of refusedHosts) {
  test(`create refuses the host config ${JSON.stringify(host)}`, () => {
    assert.throws(() => readHost(host), { kind: 'invalid', message });
  });
}

test('what is left out is said in a warning, in dockerd’s words', () => {
  const warnings = (host: object) => read({ Image: 'bb', HostConfig: host }).warnings;
  const PortBindings = { '80/tcp': [{ HostPort: '8080' }] };
  assert.deepEqual(warnings({ NetworkMode: 'host', PortBindings }), [
    'Published ports are discarded when using host network mode',
  ]);
  assert.deepEqual(warnings({ NetworkMode: 'bridge', PortBindings }), []);
});

test('names are checked and their slash is taken off', () => {
  assert.equal(read({ Image: 'bb' }, '/web').name, 'web');
  assert.throws(() => read({ Image: 'bb' }, '-x'), {
    message: 'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  });
});

test('the command: absent leaves it to the image, [""] clears both', () => {
  assert.deepEqual(
    [read({ Image: 'bb' }).settings.entrypoint, read({ Image: 'bb', Cmd: null }).settings.args],
    [undefined, undefined],
  );
  assert.deepEqual(read({ Image: 'bb', Cmd: 'ls' }).settings.args, ['ls']);
  assert.deepEqual(read({ Image: 'bb', Cmd: [] }).settings.args, undefined);
  const cleared = read({ Image: 'bb', Entrypoint: [''], Cmd: ['ls'] }).settings;
  assert.deepEqual([cleared.entrypoint, cleared.args], [[], ['ls']]);
});

test('limits: Docker scales become ours', () => {
  const limits = readHost({
    NanoCpus: 1.5e9,
    CpuShares: 512,
    CpusetCpus: '0-1',
    Memory: 64e6,
    PidsLimit: 50,
    BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1000 }],
    BlkioDeviceWriteIOps: [{ Path: '/dev/vda', Rate: 5 }],
  }).limits;
  assert.deepEqual(limits, {
    cpu: { quotaMicros: 150_000, periodMicros: 100_000, shares: 512, cpus: '0-1' },
    memory: { maxBytes: 64e6, maxWithSwapBytes: 128e6 },
    pids: 50,
    io: {
      devices: [{ device: '/dev/vda', readBytesPerSecond: 1000, writeOperationsPerSecond: 5 }],
    },
    log: defaultLog,
  });
});

test('-1 is no limit', () => {
  assert.deepEqual(
    readHost({
      ...{ CpuShares: 0, Memory: 0, PidsLimit: -1, MemorySwappiness: -1 },
      LogConfig: { Config: { 'max-size': '-1' } },
    }).limits,
    { log: { maxBytes: null, maxFiles: 1 } },
  );
  assert.deepEqual(readHost({ Memory: 64e6, MemorySwap: -1 }).limits.memory, { maxBytes: 64e6 });
});

test('who says nothing gets the limits that protect the machine; the CLI says nothing with 0', () => {
  for (const host of [{}, { PidsLimit: null }, { PidsLimit: 0 }])
    assert.deepEqual(readHost(host).limits, { pids: 4096, log: defaultLog });
});

test('log options are Docker’s, and are refused before anything is made', () => {
  const log = (options: object) => readHost({ LogConfig: { Config: options } }).limits.log;
  assert.deepEqual(log({ 'max-size': '10k' }), { maxBytes: 10_240, maxFiles: 1 });
  assert.deepEqual(log({ 'max-size': '1m', 'max-file': '5' }), {
    maxBytes: 1_048_576,
    maxFiles: 5,
  });
  assert.deepEqual(log({ 'max-file': '7' }), { ...defaultLog, maxFiles: 7 });
  for (const wrong of [{ 'max-size': 'big' }, { 'max-size': '0' }, { 'max-file': '0' }])
    assert.throws(() => log(wrong), { kind: 'invalid' }, JSON.stringify(wrong));
  assert.equal(readHost({ LogConfig: { Type: 'none' } }).limits.log, undefined);
});

test('mounts: every way to ask for one', () => {
  const { mounts } = read({
    Image: 'bb',
    Volumes: { '/anonymous': {}, '/data': {} },
    HostConfig: {
      Binds: ['/src:/dst:ro,rslave', 'named:/named:nocopy', '/alone'],
      Mounts: [
        { Type: 'bind', Source: '/s', Target: '/t', BindOptions: { NonRecursive: true } },
        { Type: 'tmpfs', Target: '/small', TmpfsOptions: { SizeBytes: 4096, Mode: 0o1777 } },
      ],
      Tmpfs: { '/run': 'size=1m,mode=700' },
      VolumesFrom: ['web:ro'],
    },
  }).settings;
  const volume = { type: 'volume', readOnly: false, noCopy: false, labels: {}, driverOptions: {} };
  assert.deepEqual(mounts, [
    { ...volume, name: 'data', target: '/data', readOnly: true },
    {
      type: 'bind',
      source: '/etc',
      target: '/etc2',
      readOnly: true,
      propagation: 'rprivate',
      createSource: false,
      recursive: true,
    },
    {
      type: 'bind',
      source: '/src',
      target: '/dst',
      readOnly: true,
      propagation: 'rslave',
      createSource: true,
      recursive: true,
    },
    { ...volume, name: 'named', target: '/named', noCopy: true },
    { ...volume, target: '/alone' },
    {
      type: 'bind',
      source: '/s',
      target: '/t',
      readOnly: false,
      propagation: undefined,
      createSource: false,
      recursive: false,
    },
    { type: 'tmpfs', target: '/small', options: [], sizeBytes: 4096, mode: 0o1777 },
    { type: 'tmpfs', target: '/run', options: ['size=1m', 'mode=700'] },
    { ...volume, target: '/anonymous' },
  ]);
});

test('networks: the mode comes first, further endpoints after it, default means bridge', () => {
  const { network } = read({
    Image: 'bb',
    HostConfig: { NetworkMode: 'front', ExtraHosts: ['db:[::1]', 'up:host-gateway'] },
    NetworkingConfig: {
      EndpointsConfig: {
        back: { Aliases: ['app'], IPAMConfig: { IPv4Address: '10.0.0.5' } },
        front: null,
      },
    },
  }).settings;
  assert.deepEqual(network.mode, {
    networks: [
      { network: 'front', aliases: [], ipv4Address: undefined, macAddress: undefined },
      { network: 'back', aliases: ['app'], ipv4Address: '10.0.0.5', macAddress: undefined },
    ],
  });
  assert.deepEqual(network.extraHosts, ['db:::1', 'up:host-gateway']);
  assert.deepEqual(readHost({ NetworkMode: 'default' }).network.mode, {
    networks: [{ network: 'bridge', aliases: [] }],
  });
  assert.equal(readHost({ NetworkMode: 'host' }).network.mode, 'host');
  assert.deepEqual(readHost({ NetworkMode: 'container:web' }).network.mode, { container: 'web' });
});

test('ports: ranges, addresses, and no host port for any free one', () => {
  const { ports } = readHost({
    PortBindings: {
      '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
      '53/udp': [{}],
      '90-91/tcp': [{ HostPort: '9000-9001' }],
    },
  }).network;
  assert.deepEqual(
    ports.map(({ containerPort, protocol, hostAddress, hostPort }) =>
      [containerPort, protocol, hostAddress, hostPort].join(' '),
    ),
    ['80 tcp 127.0.0.1 8080', '53 udp  ', '90 tcp  9000', '91 tcp  9001'],
  );
});

test('security: no_new_privs is on unless turned off or privileged', () => {
  assert.equal(readHost({}).security.noNewPrivileges, true);
  assert.equal(
    readHost({ SecurityOpt: ['no-new-privileges=false'] }).security.noNewPrivileges,
    false,
  );
  assert.equal(
    readHost({ SecurityOpt: ['no-new-privileges:true'], Privileged: true }).security
      .noNewPrivileges,
    true,
  );
  assert.equal(readHost({ Privileged: true }).security.noNewPrivileges, false);
});

test('security: profiles, capabilities and devices', () => {
  const { security } = readHost({
    SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', 'label=disable'],
    CapAdd: ['net_admin', 'CAP_SYS_PTRACE'],
    CapDrop: ['ALL'],
    Devices: [{ PathOnHost: '/dev/fuse' }],
    MaskedPaths: [],
  });
  assert.deepEqual(security.seccomp, { profile: '{"defaultAction":"SCMP_ACT_ALLOW"}' });
  assert.deepEqual(security.addCapabilities, ['CAP_NET_ADMIN', 'CAP_SYS_PTRACE']);
  assert.deepEqual(security.dropCapabilities, ['ALL']);
  assert.deepEqual(security.devices, [
    { hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rwm' },
  ]);
  assert.deepEqual(security.maskedPaths, []);
});

test('the client documents are kept apart for inspect', () => {
  const { origin } = read({ Image: 'bb', Tty: true, HostConfig: { Memory: 64e6 } });
  assert.deepEqual(origin, {
    config: { Image: 'bb', Tty: true },
    hostConfig: { Memory: 64e6 },
    networkingConfig: {},
  });
});

test('user namespaces: host, auto, by --userns or --security-opt, and idmap of a bind', () => {
  const user = (host: Record<string, unknown>) => readHost(host).namespaces.user;
  assert.equal(user({}), undefined);
  assert.equal(user({ UsernsMode: 'host' }), 'host');
  assert.equal(user({ UsernsMode: 'auto' }), 'auto');
  assert.equal(user({ SecurityOpt: ['userns=auto'] }), 'auto');
  assert.throws(() => user({ UsernsMode: 'private' }), /invalid userns mode: private/);
  assert.throws(
    () => user({ UsernsMode: 'host', SecurityOpt: ['userns=auto'] }),
    /conflicting userns modes: host and auto/,
  );
  const [plain, mapped] = readHost({ Binds: ['/a:/b', '/c:/d:ro,idmap'] }).mounts;
  assert.ok(plain?.type === 'bind' && !plain.mapIds);
  assert.ok(mapped?.type === 'bind' && mapped.mapIds && mapped.readOnly);
});

test('disk: storage options are sizes and counts, zero declines a default', () => {
  const diskOf = (StorageOpt: object) => readHost({ StorageOpt }).limits.disk;
  assert.deepEqual(diskOf({ size: '10G' }), { maxBytes: 10 * 1024 ** 3 });
  assert.deepEqual(diskOf({ size: '0', inodes: '500' }), { maxBytes: null, maxInodes: 500 });
  assert.equal(diskOf({}), undefined);
  assert.throws(() => diskOf({ size: 'much' }), {
    kind: 'invalid',
    message: /invalid size: 'much'/,
  });
  assert.throws(() => diskOf({ colour: 'red' }), { message: /Unknown storage option colour/ });
});
