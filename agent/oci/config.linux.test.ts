/** What config.json asks for is what the program finds. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());

const lines = (result: { stdout: string; stderr: string; status: number | null }) => {
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim().split('\n');
};

test('user, umask, oom score, niceness and IO priority', () => {
  const script =
    'id -u; id -g; id -G; umask; cat /proc/self/oom_score_adj; cut -d" " -f19 /proc/self/stat; ionice';
  const found = lines(
    bench.run(['/bin/sh', '-c', script], {
      process: {
        user: { uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 0o027 },
        oomScoreAdj: 300,
        scheduler: { policy: 'SCHED_OTHER', nice: 7 },
        ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
      },
    }),
  );
  assert.deepEqual(found, ['1000', '1001', '1001 5 6', '0027', '300', '7', 'best-effort: prio 6']);
});

test('without a umask the caller’s own', () => {
  assert.deepEqual(lines(bench.run(['/bin/sh', '-c', 'umask'])), [
    process.umask().toString(8).padStart(4, '0'),
  ]);
});

test('mounts are listed in the order of config.json', () => {
  const [...points] = lines(bench.run(['/bin/sh', '-c', "cut -d' ' -f5 /proc/self/mountinfo"]));
  const asked = ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'];
  // What lies below another mount comes with it, and both are after /proc.
  assert.deepEqual(
    points.filter((point) => ['/proc', '/dev', '/sys'].includes(point)),
    ['/proc', '/dev', '/sys'],
  );
  for (const point of asked) assert.equal(points.filter((one) => one === point).length, 1, point);
});

test('propagation of the root', () => {
  const optional = ['/bin/sh', '-c', "grep ' / / \\| / rw' /proc/self/mountinfo | head -1"];
  const root = (rootfsPropagation: string) =>
    lines(bench.run(optional, { linux: { rootfsPropagation } }))[0]!;
  assert.match(root('shared'), / shared:\d+ /);
  assert.match(root('unbindable'), / unbindable /);
  assert.doesNotMatch(root('private'), /shared|unbindable/);
});

test('without a /dev of its own the image’s gets the default devices', () => {
  mkdirSync(bench.inRoot('dev'), { recursive: true });
  const mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }];
  const script = '[ -c /dev/null ] && [ -c /dev/tty ] && readlink /dev/ptmx && readlink /dev/stdin';
  const found = lines(bench.run(['/bin/sh', '-c', script], { other: { mounts } }));
  assert.deepEqual(found, ['pts/ptmx', '/proc/self/fd/0']);
});

test('namespaces by path', async () => {
  const first = bench.bundle(['/bin/sleep', '1000']);
  bench.create(first);
  const { pid } = JSON.parse(bench.ok('state', first.id));
  const joined = (['network', 'ipc', 'uts', 'pid'] as const).map((type) => ({
    type,
    path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}`,
  }));
  const script =
    'for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; ps | grep -c corten';
  const result = bench.run(['/bin/sh', '-c', script], {
    linux: { namespaces: [{ type: 'mount' }, ...joined] },
    other: { hostname: undefined },
  });
  const { readlinkSync } = await import('node:fs');
  const theirs = ['net', 'ipc', 'uts', 'pid'].map((name) =>
    readlinkSync(`/proc/${pid}/ns/${name}`),
  );
  assert.deepEqual(lines(result).slice(0, 4), theirs);
  bench.ok('delete', '--force', first.id);
});

test('without a mount namespace of its own: its tree is nobody else’s, and there is no way out of it', async () => {
  const { readlinkSync, mkdtempSync, writeFileSync: write, rmSync } = await import('node:fs');
  const seen = mkdtempSync('/tmp/corten-oci-outside-');
  write(join(seen, 'secret'), 'x');
  const first = bench.bundle(['/bin/sleep', '1000']);
  bench.create(first);
  const { pid } = JSON.parse(bench.ok('state', first.id));
  const script = `readlink /proc/self/ns/mnt; cd ../../..; pwd; ls -d ${seen} 2>&1; [ -c /dev/null ]; mount -t tmpfs tmpfs /mnt 2>&1 | grep -c denied; echo 1 2>/dev/null >/proc/sys/kernel/printk || echo kept`;
  const others = [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'cgroup' }] as const;
  const machine = readlinkSync('/proc/self/ns/mnt');
  const before = readFileSync('/proc/self/mountinfo', 'utf8');
  for (const [mount, expected] of [
    [[], machine],
    [[{ type: 'mount', path: `/proc/${pid}/ns/mnt` }], readlinkSync(`/proc/${pid}/ns/mnt`)],
  ] as const) {
    const bundle = bench.bundle(['/bin/sleep', '1000'], {
      linux: { namespaces: [...others, ...mount] },
    });
    bench.create(bundle);
    bench.ok('start', bundle.id);
    const found = bench.ok('exec', bundle.id, '/bin/sh', '-c', script).trim().split('\n');
    assert.equal(found[0], expected);
    assert.equal(found[1], '/');
    assert.match(found[2] ?? '', /No such file/);
    assert.equal(found.at(-1), 'kept');
    bench.ok('delete', '--force', bundle.id);
  }
  assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before);
  bench.ok('delete', '--force', first.id);
  rmSync(seen, { recursive: true });
});

test('limits at create and by update, from options and from a document', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    linux: {
      resources: {
        memory: { limit: 64 * 1024 * 1024 },
        pids: { limit: 20 },
        cpu: { shares: 512, quota: 50_000, period: 100_000 },
      },
    },
  });
  bench.create(bundle);
  const pids = () => bench.cgroupFile('pids', bundle.id, 'pids.max');
  assert.equal(pids(), '20');
  bench.ok('update', '--pids-limit', '30', bundle.id);
  assert.equal(pids(), '30');
  const document = join(bundle.path, 'resources.json');
  writeFileSync(document, JSON.stringify({ pids: { limit: -1 }, cpu: { shares: 2048 } }));
  bench.ok('update', '--resources', document, bundle.id);
  assert.equal(pids(), 'max');
  const stats = JSON.parse(bench.ok('events', '--stats', bundle.id));
  assert.equal(stats.data.memory.usage.limit, 64 * 1024 * 1024);
  bench.ok('delete', '--force', bundle.id);
});

test('pause stops everything, and resume lets it go on', async () => {
  const bundle = bench.bundle(['/bin/sh', '-c', 'while :; do echo x; sleep 0.01; done']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const size = () => readFileSync(join(bundle.path, 'stdout')).length;
  const grows = async () => {
    for (const from = size(); size() === from; ) await new Promise((done) => setTimeout(done, 20));
  };
  await grows();
  bench.ok('pause', bundle.id);
  assert.equal(bench.status(bundle.id), 'paused');
  const frozen = size();
  await new Promise((done) => setTimeout(done, 300));
  assert.equal(size(), frozen);
  bench.ok('resume', bundle.id);
  await grows();
  assert.match(bench.ok('list'), new RegExp(`^${bundle.id} +\\d+ +running `, 'm'));
  bench.ok('delete', '--force', bundle.id);
});

test('only allowed devices can be opened, whatever is in /dev', () => {
  const loop = { path: '/dev/my-kmsg', type: 'c' as const, major: 1, minor: 11, fileMode: 0o666 };
  const script = 'cat /dev/my-kmsg >/dev/null 2>&1 && echo open; head -c1 /dev/zero | wc -c';
  const changes = (allow: boolean) => ({
    linux: {
      devices: [loop],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          ...(allow ? [{ allow: true, type: 'c', major: 1, minor: 11, access: 'w' }] : []),
        ],
      },
    },
  });
  const write = `${script}; echo >/dev/my-kmsg && echo written; true`;
  const refused = bench.run(['/bin/sh', '-c', write], changes(false));
  assert.deepEqual(lines(refused), ['1']);
  assert.deepEqual(lines(bench.run(['/bin/sh', '-c', write], changes(true))), ['1', 'written']);
});

test('huge pages are limited also where only v2 has the controller', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    linux: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }] } },
  });
  assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const [, v1] = /^\d+:hugetlb:(.*)$/m.exec(groups) ?? [];
  const [, v2] = /^0::(.*)$/m.exec(groups) ?? [];
  const unified = existsSync('/sys/fs/cgroup/unified')
    ? '/sys/fs/cgroup/unified'
    : '/sys/fs/cgroup';
  const file = v1
    ? `/sys/fs/cgroup/hugetlb${v1}/hugetlb.2MB.limit_in_bytes`
    : `${unified}${v2}/hugetlb.2MB.max`;
  assert.equal(readFileSync(file, 'utf8').trim(), '4194304');
  bench.ok('delete', '--force', bundle.id);
  assert.equal(existsSync(file), false);
});

test('with a user namespace its root is nobody outside, in an exec too, and hooks find the tree', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    linux: {
      namespaces: (['user', 'mount', 'pid', 'ipc', 'uts', 'network', 'cgroup'] as const).map(
        (type) => ({ type }),
      ),
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: 200_000, size: 65_536 }],
    },
    hooks: { createContainer: [{ path: '/bin/sh', args: ['sh', '-c', '[ -e /etc/passwd ]'] }] },
  });
  assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
  bench.ok('start', bundle.id);
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  assert.match(status, /^Uid:\t100000\t100000/m);
  assert.match(status, /^Gid:\t200000\t200000/m);
  assert.match(status, /^NSpid:\t\d+(\t\d+)*\t1$/m);
  const inside = bench.ok('exec', bundle.id, 'sh', '-c', 'id -u; cat /proc/self/uid_map');
  const [uid, map] = inside.split('\n');
  assert.equal(uid, '0');
  assert.deepEqual(map?.trim().split(/\s+/), ['0', '100000', '65536']);
  // Its stdin was /dev/null, which is the machine's own.
  assert.deepEqual([statSync('/dev/null').uid, statSync('/dev/null').gid], [0, 0]);
  bench.ok('delete', '--force', bundle.id);
});

test('a user namespace without mappings has root alone, and says so; half of them are refused', () => {
  const namespaces = (['user', 'mount', 'pid', 'ipc', 'uts', 'network'] as const).map((type) => ({
    type,
  }));
  // Its terminals' group is not there.
  const mounts = [{ destination: '/proc', type: 'proc', source: 'proc' }];
  const script = 'cat /proc/self/uid_map /proc/self/gid_map; id -u';
  const of = (linux: object) =>
    bench.run(['/bin/sh', '-c', script], { linux: { namespaces, ...linux }, other: { mounts } });
  const { stdout, stderr } = of({});
  assert.deepEqual(stdout.trim().split(/\s+/), ['0', '0', '1', '0', '0', '1', '0'], stderr);
  assert.match(stderr, /warning: the user namespace has no uidMappings and gidMappings/);
  const uidMappings = [{ containerID: 0, hostID: 100_000, size: 10 }];
  assert.match(of({ uidMappings }).stderr, /needs uidMappings and gidMappings/);
});

test('features are those of the specification', () => {
  const features = JSON.parse(bench.ok('features'));
  assert.deepEqual([features.ociVersionMin, features.ociVersionMax], ['1.0.0', '1.2.1']);
  assert.ok(features.mountOptions.includes('rro') && features.hooks.includes('createContainer'));
  const { namespaces, seccomp, apparmor, selinux, intelRdt, mountExtensions, cgroup } =
    features.linux;
  assert.ok(namespaces.includes('time') && seccomp.actions.includes('SCMP_ACT_NOTIFY'));
  assert.ok(seccomp.supportedFlags.includes('SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'));
  assert.ok(seccomp.archs.includes('SCMP_ARCH_AARCH64'));
  assert.deepEqual(
    [apparmor, selinux, intelRdt, mountExtensions.idmap].map(({ enabled }) => enabled),
    [true, true, true, true],
  );
  assert.deepEqual([cgroup.rdma, cgroup.systemd], [true, false]);
  assert.deepEqual(features.potentiallyUnsafeConfigAnnotations, ['run.oci.keep_original_groups']);
  assert.match(bench.ok('--version'), /^oci-runtime version .*\nspec: 1.2.1\n$/);
});
