/** Namespaces that are the host's, or another container's. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { after, before, test } from 'node:test';
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { until } from '../e2e/until.ts';
import { hasErrno } from '../kernel/libc.ts';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

const shell = (script: string) => testSpec(testProcess(['/bin/sh', '-c', script]));

function without(spec: OciSpec, type: OciNamespaceType): OciSpec {
  const namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== type);
  return { ...spec, linux: { ...spec.linux, namespaces } };
}

function joining(spec: OciSpec, type: OciNamespaceType, path: string): OciSpec {
  const namespaces = spec.linux.namespaces.map((namespace) =>
    namespace.type === type ? { type, path } : namespace,
  );
  return { ...spec, linux: { ...spec.linux, namespaces } };
}

const files = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' } as const;

for (const type of ['pid', 'network', 'ipc', 'uts', 'cgroup'] as const) {
  const link = `ns/${files[type]}`;

  test(`${type} of the host`, async () => {
    const { stdout } = await bench.run(without(shell(`readlink /proc/self/${link}`), type));
    assert.equal(stdout.trim(), readlinkSync(`/proc/self/${link}`));
  });

  test(`${type} of another container`, async () => {
    const { running } = await bench.start(shell('sleep 1000'));
    const spec = joining(
      shell(`readlink /proc/self/${link}`),
      type,
      `/proc/${running.pid}/${link}`,
    );
    const { stdout } = await bench.run(spec);
    assert.equal(stdout.trim(), readlinkSync(`/proc/${running.pid}/${link}`));
    running.signal(9);
    await running.exited;
  });
}

test('with the host’s pids, procfs shows the host and the container sees its own', async () => {
  const spec = without(shell('[ $$ -gt 1 ] && [ -d /proc/$$ ] && echo here'), 'pid');
  assert.equal((await bench.run(spec)).stdout, 'here\n');
});

test('with the host’s pids, a process that stays behind and writes does not hold the exit up', async () => {
  const { work } = bench.place();
  const spec = without(shell('(echo $$; exec yes) & echo $! > /note/pid; exit 3'), 'pid');
  spec.mounts.push({ destination: '/note', source: work, options: ['bind'] });
  const { running } = await bench.start(spec, {
    log: { directory: bench.place().log, maxBytes: 65536, maxFiles: 1 },
  });
  assert.equal((await running.exited).exitCode, 3);
  try {
    process.kill(Number(readFileSync(`${work}/pid`, 'utf8')), 'SIGKILL');
  } catch (error) {
    // Its pipe broke when the shim left, which ended it.
    assert.ok(hasErrno(error, 'ESRCH'));
  }
});

test('in another container’s pids, procfs shows that container', async () => {
  const { running } = await bench.start(shell('exec sleep 4321'));
  const spec = joining(
    shell('tr "\\0" " " < /proc/1/cmdline'),
    'pid',
    `/proc/${running.pid}/ns/pid`,
  );
  assert.equal((await bench.run(spec)).stdout, 'sleep 4321 ');
  running.signal(9);
  await running.exited;
});

test('another container’s /dev/shm can be mounted, and both see the same files', async () => {
  const { running } = await bench.start(shell('echo shared > /dev/shm/note; sleep 1000'));
  const spec = shell('cat /dev/shm/note; echo back > /dev/shm/answer');
  spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev/shm');
  const source = `/proc/${running.pid}/root/dev/shm`;
  await until(() => existsSync(`${source}/note`));
  spec.mounts.push({ destination: '/dev/shm', source, type: 'bind', options: ['rbind'] });
  assert.equal((await bench.run(spec)).stdout, 'shared\n');
  assert.ok(existsSync(`${source}/answer`));
  running.signal(9);
  await running.exited;
});

test('with the host’s names, the hostname of the specification is not set', async () => {
  const before = hostname();
  const { stdout } = await bench.run(without(shell('hostname'), 'uts'));
  assert.equal(stdout.trim(), before);
  assert.equal(hostname(), before);
});

test('a network namespace is handed out before the start, and its netlink socket too', async () => {
  const { upper, work } = bench.place();
  const spec = shell('true');
  const request = {
    spec,
    rootfs: { kind: 'overlay' as const, lowers: [`${bench.root}/image`], upper, work },
    cgroupPaths: new Map<string, string>(),
  };
  const own = await bench.runtime.prepare(request);
  assert.match(readlinkSync(`/proc/self/fd/${own.networkFd}`), /^net:\[\d+\]$/);
  assert.notEqual(
    readlinkSync(`/proc/self/fd/${own.networkFd}`),
    readlinkSync('/proc/self/ns/net'),
  );
  assert.match(readlinkSync(`/proc/self/fd/${own.netlinkFd}`), /^socket:/);
  own.close();
  const host = await bench.runtime.prepare({ ...request, spec: without(spec, 'network') });
  assert.equal(host.networkFd, undefined);
  assert.equal(host.netlinkFd, undefined);
  host.close();
});

test('a user namespace that maps nothing is refused rather than ignored', async () => {
  const spec = shell('true');
  spec.linux.namespaces.push({ type: 'user' });
  await assert.rejects(bench.run(spec), { kind: 'invalid', message: /uidMappings/ });
});
