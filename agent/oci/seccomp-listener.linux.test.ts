/** SCMP_ACT_NOTIFY: whoever listens gets the filter's listener, and answers. */
import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { OciSeccomp } from '../contract/oci-runtime.ts';
import { OciBench } from './testdata/bench.ts';
import { DescriptorSocket } from './testdata/descriptor-socket.ts';
import { pretendSuccess } from './testdata/seccomp-agent.ts';

const bench = new OciBench();
after(() => bench.close());

const notifyOf = (names: string[], listenerPath?: string): OciSeccomp => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  // Which the kernel does not take beside a listener.
  flags: ['SECCOMP_FILTER_FLAG_TSYNC'],
  ...(listenerPath && { listenerPath, listenerMetadata: 'for the test' }),
  syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }],
});

const makesDirectory = 'mkdir /tmp/asked && [ ! -e /tmp/asked ] && echo pretended';

for (const noNewPrivileges of [true, false])
  test(`a call is answered by who listens, of the first process and of an exec, ${noNewPrivileges ? 'with' : 'without'} no_new_privs`, async () => {
    const path = join(bench.root, '..', `listener-${noNewPrivileges}`);
    const socket = new DescriptorSocket(path);
    const bundle = bench.bundle(['/bin/sh', '-c', `${makesDirectory}; exec sleep 1000`], {
      process: { noNewPrivileges },
      linux: { seccomp: notifyOf(['mkdir', 'mkdirat'], path) },
    });
    assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
    const first = socket.receive();
    const { pid } = JSON.parse(bench.ok('state', bundle.id));
    const { state, ...rest } = JSON.parse(first.text);
    assert.deepEqual(rest, {
      ociVersion: '1.2.1',
      fds: ['seccompFd'],
      pid,
      metadata: 'for the test',
    });
    assert.deepEqual(
      [state.id, state.status, state.pid, state.bundle],
      [bundle.id, 'creating', pid, bundle.path],
    );
    bench.ok('start', bundle.id);
    pretendSuccess(first.fd);
    await bench.written(bundle, /pretended/);
    const pidFile = join(bundle.path, 'exec-pid');
    const words = ['exec', '--detach', '--pid-file', pidFile, bundle.id];
    bench.ok(...words, 'mkdir', '/tmp/asked');
    const second = socket.receive();
    const told = JSON.parse(second.text);
    assert.equal(told.pid, Number(readFileSync(pidFile, 'utf8')));
    assert.deepEqual([told.state.status, told.state.pid], ['running', pid]);
    pretendSuccess(second.fd);
    for (const { fd } of [first, second]) closeSync(fd);
    socket.close();
    bench.ok('delete', '--force', bundle.id);
  });

test('a hook in the container has a listener too', () => {
  const path = join(bench.root, '..', 'hook-listener');
  const socket = new DescriptorSocket(path);
  const bundle = bench.bundle(['/bin/true'], {
    linux: { seccomp: notifyOf(['rmdir'], path) },
    hooks: { startContainer: [{ path: '/bin/true' }] },
  });
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const states = [socket.receive(), socket.receive()].map(({ fd, text }) => {
    closeSync(fd);
    return JSON.parse(text).state.status;
  });
  assert.deepEqual(states, ['creating', 'created']);
  socket.close();
  bench.ok('delete', '--force', bundle.id);
});

const refused: [string, OciSeccomp, RegExp][] = [
  ['nobody to answer', notifyOf(['mkdir']), /SCMP_ACT_NOTIFY and no listenerPath/],
  ['nobody who listens', notifyOf(['mkdir'], '/nowhere/at/all'), /cannot be sent to/],
  ['what the process needs to tell', notifyOf(['write'], '/x'), /cannot be used for write/],
  [
    'every call',
    { defaultAction: 'SCMP_ACT_NOTIFY', syscalls: [], listenerPath: '/x' },
    /cannot be the default action/,
  ],
];

for (const [name, seccomp, message] of refused)
  test(`refused, and nothing is left: ${name}`, () => {
    const bundle = bench.bundle(['/bin/true'], { linux: { seccomp } });
    const { status, stderr } = bench.create(bundle);
    assert.equal(status, 1);
    assert.match(stderr, message);
    assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
  });

test('a path where nothing notifies is not used', () => {
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [], listenerPath: '/nowhere' };
  assert.equal(bench.run(['/bin/echo', 'ran'], { linux: { seccomp } }).stdout, 'ran\n');
});
