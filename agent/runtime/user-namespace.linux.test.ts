/** Containers with a user namespace: what belongs to it, what it may not reach, and what it leaves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { OciMount, OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { openDirectory, openInRoot, withFd } from '../kernel/files.ts';
import { setXattr } from '../kernel/xattr.ts';
import { capabilityNames } from './capabilities.ts';
import { firstId, remap, TestBench, testProcess, testSpec } from './testdata/test-container.ts';

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
  // Containers' own rights decide what they reach from here, not the parent's.
  chmodSync(bench.root, 0o755);
});
after(() => bench.close());

const secondId = firstId + 65_536;
const all = [...capabilityNames];
/** Every capability there is: what remains impossible is so because of the user namespace. */
const everything = { bounding: all, effective: all, permitted: all };

const shell = (script: string, changes: Parameters<typeof testProcess>[1] = {}, first = firstId) =>
  remap(testSpec(testProcess(['/bin/sh', '-c', script], changes)), first);

function withMount(spec: OciSpec, mount: OciMount): OciSpec {
  return { ...spec, mounts: [...spec.mounts, mount] };
}

function joining(spec: OciSpec, type: OciNamespaceType, path: string): OciSpec {
  const others = spec.linux.namespaces.filter((namespace) => namespace.type !== type);
  return { ...spec, linux: { ...spec.linux, namespaces: [...others, { type, path }] } };
}

test('each of its namespaces belongs to its user namespace', async () => {
  const { running } = await bench.start(shell('exec sleep 1000'));
  const user = /\d+/.exec(readlinkSync(`/proc/${running.pid}/ns/user`))?.[0];
  // ONS is the namespace that NS_GET_USERNS names (ioctl_nsfs(2)).
  const words = ['--task', String(running.pid), '--noheadings', '--output', 'TYPE,ONS'];
  const owners = execFileSync('lsns', words, { encoding: 'utf8' });
  for (const kind of ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup'])
    assert.match(owners, new RegExp(`^${kind}\\s+${user}$`, 'm'));
  running.signal(9);
  await running.exited;
});

test('its processes are unprivileged ids outside, also after setuid and in an exec', async () => {
  const { running } = await bench.start(
    shell('sleep 1000', { user: { uid: 1000, gid: 1001, additionalGids: [5] } }),
  );
  const ids = (pid: number) =>
    /^Uid:\s+(\d+).*\nGid:\s+(\d+).*\n(?:.*\n)?Groups:\t([^\n]*?) *$/m
      .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
      ?.slice(1);
  assert.deepEqual(ids(running.pid), [firstId + 1000, firstId + 1001, firstId + 5].map(String));
  const exec = await bench.runtime.exec(running, {
    process: testProcess(['sleep', '1000']),
    runDirectory: bench.place().run,
    placement: { procsFds: [] },
    openStdin: false,
    seccomp: undefined,
  });
  assert.deepEqual(ids(exec.pid), [String(firstId), String(firstId), '']);
  running.signal(9);
  await Promise.all([running.exited, exec.exited]);
});

test('with every capability it still reaches nothing of the machine', async () => {
  const { work } = bench.place();
  writeFileSync(join(work, 'secret'), 'secret\n', { mode: 0o600 });
  writeFileSync(join(work, 'readable'), 'hello\n', { mode: 0o644 });
  const attempts = [
    'cat /bound/secret',
    'chmod 666 /bound/secret',
    'chown 0 /bound/readable',
    'echo x > /bound/readable',
    'touch /bound/made',
    'mknod /tmp/disk b 8 0',
    'mount -t proc none /proc && echo 1 > /proc/sys/kernel/panic',
    'echo x > /sys/kernel/uevent_helper',
    'dmesg',
    'swapoff /nothing',
  ];
  const script = attempts
    .map((line) => `(${line}) 2>&1 && echo "went through: ${line}"`)
    .join('; ');
  const spec = withMount(shell(`${script}; cat /bound/readable`, { capabilities: everything }), {
    destination: '/bound',
    source: work,
    options: ['bind'],
  });
  const { stdout } = await bench.run(spec);
  assert.doesNotMatch(stdout, /went through|secret\n/);
  assert.match(stdout, /hello\n$/);
  assert.deepEqual(readdirSync(work).sort(), ['readable', 'secret']);
  assert.equal(lstatSync(join(work, 'secret')).mode & 0o777, 0o600);
});

test('what it makes in a bind that it may write to belongs to the mapped id', async () => {
  const { work } = bench.place();
  chmodSync(work, 0o777);
  const spec = withMount(shell('echo x > /bound/made; chown 7:8 /bound/made; mkdir /bound/d'), {
    destination: '/bound',
    source: work,
    options: ['bind'],
  });
  await bench.run(spec);
  const owner = (name: string) => [statSync(join(work, name)).uid, statSync(join(work, name)).gid];
  assert.deepEqual(owner('made'), [firstId + 7, firstId + 8]);
  assert.deepEqual(owner('d'), [firstId, firstId]);
});

test('a bind with idmap has the ids inside on its disk, layers have them always', async () => {
  const { work } = bench.place();
  writeFileSync(join(work, 'mine'), '', { mode: 0o600 });
  chownSync(join(work, 'mine'), 1000, 1001);
  const script =
    'stat -c %u:%g /bound/mine /etc/passwd; echo x > /bound/made; chown 7:8 /bound/made; echo x > /own';
  const spec = withMount(shell(script), {
    destination: '/bound',
    source: work,
    options: ['bind', 'idmap'],
  });
  const { stdout, upper } = await bench.run(spec);
  assert.equal(stdout, '1000:1001\n0:0\n');
  assert.deepEqual([statSync(join(work, 'made')).uid, statSync(join(work, 'made')).gid], [7, 8]);
  assert.equal(statSync(join(upper, 'own')).uid, 0);
});

test('a file system that cannot map ids says so', async () => {
  const spec = withMount(shell('true'), {
    destination: '/bound',
    source: '/proc/sys',
    options: ['bind', 'idmap'],
  });
  await assert.rejects(bench.run(spec), { kind: 'unavailable', message: /cannot map ids/ });
});

test('file capabilities of an image work, through any number of layers', async () => {
  const { work: top } = bench.place();
  mkdirSync(join(top, 'bin'));
  copyFileSync('/bin/busybox', join(top, 'bin/grep'));
  // vfs_cap_data, version 2, effective: CAP_NET_RAW (capabilities(7), "File capabilities").
  const capability = Buffer.from('0100000200200000002000000000000000000000', 'hex');
  capability.fill(0, 8, 12);
  withFd(openDirectory(top), (root) =>
    withFd(openInRoot(root, 'bin/grep', 0), (fd) =>
      setXattr(fd, 'security.capability', capability),
    ),
  );
  const spec = shell('/bin/grep CapEff /proc/self/status', {
    user: { uid: 1000, gid: 1000 },
    capabilities: { bounding: ['CAP_NET_RAW'] },
    noNewPrivileges: false,
  });
  const { upper, work } = bench.place();
  const lowers = [top, join(bench.root, 'image')];
  const { stdout } = await bench.run(
    spec,
    {},
    { rootfs: { kind: 'overlay', lowers, upper, work } },
  );
  assert.equal(stdout, 'CapEff:\t0000000000002000\n');
});

test('a neighbour with its own ids can see processes and not touch them', async () => {
  const { running } = await bench.start(shell('exec sleep 1000'));
  const spec = shell('kill -9 1; kill -0 1', { capabilities: everything }, secondId);
  // It may not mount a procfs for pids that belong to another user namespace.
  spec.mounts = spec.mounts.filter(({ type }) => type !== 'proc');
  const { stderr } = await bench.run(joining(spec, 'pid', `/proc/${running.pid}/ns/pid`));
  assert.match(stderr, /^(sh: can't kill pid 1: Operation not permitted\n){2}$/);
  running.signal(0);
  running.signal(9);
  await running.exited;
});

test('a container that joins the user namespace too is root there', async () => {
  const { running } = await bench.start(shell('exec sleep 1000'));
  let spec = shell('kill -0 1 && ip link set lo mtu 1400 && id -u', { capabilities: everything });
  for (const [type, file] of [
    ['pid', 'pid'],
    ['network', 'net'],
    ['user', 'user'],
  ] as const)
    spec = joining(spec, type, `/proc/${running.pid}/ns/${file}`);
  const { stdout, stderr } = await bench.run(spec);
  assert.equal(stdout, '0\n', stderr);
  running.signal(9);
  await running.exited;
});

test('ids that are not mapped are refused by name', async () => {
  for (const user of [
    { uid: 70_000, gid: 0 },
    { uid: 0, gid: 70_000 },
    { uid: 0, gid: 0, additionalGids: [70_000] },
  ])
    await assert.rejects(bench.run(shell('true', { user })), {
      kind: 'invalid',
      message: /id 70000 is not one of the container's.*0 to 65535/,
    });
});

test('the machine’s pids are refused, as is a map without root', async () => {
  const pids = shell('true');
  pids.linux.namespaces = pids.linux.namespaces.filter(({ type }) => type !== 'pid');
  await assert.rejects(bench.run(pids), { kind: 'invalid', message: /host PID namespace/ });
  const rootless = shell('true');
  rootless.linux.uidMappings = [{ containerID: 1, hostID: firstId, size: 10 }];
  await assert.rejects(bench.run(rootless), { kind: 'invalid', message: /map 0/ });
});

test('ids of the machine that are mapped wrongly leave neither process nor descriptor', async () => {
  const wrong = shell('true');
  const overlapping = { containerID: 0, hostID: firstId, size: 100 };
  wrong.linux.uidMappings = [overlapping, { ...overlapping, containerID: 50 }];
  const before = readdirSync('/proc/self/fd').length;
  for (let attempt = 0; attempt < 5; attempt++) await assert.rejects(bench.run(wrong), Error);
  // Each would leave one; a shim and a network may have been made ahead meanwhile.
  const left = readdirSync('/proc/self/fd').length - before;
  assert.ok(left < 5, `${left} more`);
  const names = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(nameOf);
  assert.ok(!names.includes('corten-ns'));
});

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // Somebody else's, which has just ended.
    return '';
  }
}
