/** Time namespaces: a container's clocks. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import type { OciNamespaceType } from '../contract/oci-runtime.ts';
import { OciBench } from './testdata/bench.ts';

/** A kernel may be built without (CONFIG_TIME_NS). */
const skip = !existsSync('/proc/self/ns/time');
const bench = new OciBench();
after(() => bench.close());

const types: OciNamespaceType[] = ['mount', 'pid', 'ipc', 'uts', 'network', 'cgroup'];
const listed = (...more: { type: OciNamespaceType; path?: string }[]) => [
  ...types.map((type) => ({ type })),
  ...more,
];
const timeOffsets = {
  monotonic: { secs: 1000, nanosecs: 500 },
  boottime: { secs: 1_000_000_000, nanosecs: 4 },
};
const uptime = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
const look = ['/bin/sh', '-c', 'readlink /proc/self/ns/time; cat /proc/self/timens_offsets'];
const offsetsOf = (text: string) => text.match(/^\w+ +-?\d+ +\d+$/gm)?.map((l) => l.split(/ +/));
const asked = [
  ['monotonic', '1000', '500'],
  ['boottime', '1000000000', '4'],
];

for (const remapped of [false, true])
  test(`clocks have their offsets, in an exec too${remapped ? ', with a user namespace' : ''}`, {
    skip,
  }, () => {
    const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const bundle = bench.bundle(['/bin/sleep', '1000'], {
      linux: {
        timeOffsets,
        namespaces: listed({ type: 'time' }, ...(remapped ? [{ type: 'user' } as const] : [])),
        ...(remapped && { uidMappings: mappings, gidMappings: mappings }),
      },
    });
    assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
    bench.ok('start', bundle.id);
    const { pid } = JSON.parse(bench.ok('state', bundle.id));
    const link = readlinkSync(`/proc/${pid}/ns/time`);
    assert.notEqual(link, readlinkSync('/proc/self/ns/time'));
    const before = uptime();
    const found = bench.ok('exec', bundle.id, ...look);
    assert.equal(found.split('\n')[0], link);
    assert.deepEqual(offsetsOf(found), asked);
    const inside = Number(bench.ok('exec', bundle.id, 'cut', '-d ', '-f1', '/proc/uptime'));
    assert.ok(inside >= before + 1_000_000_000 && inside <= uptime() + 1_000_000_001, `${inside}`);
    bench.ok('delete', '--force', bundle.id);
  });

test('without offsets it is new, and another container’s can be joined', { skip }, () => {
  const first = bench.bundle(['/bin/sleep', '1000'], {
    linux: { namespaces: listed({ type: 'time' }) },
  });
  bench.create(first);
  const { pid } = JSON.parse(bench.ok('state', first.id));
  const path = `/proc/${pid}/ns/time`;
  const { stdout, stderr } = bench.run(look, {
    linux: { namespaces: listed({ type: 'time', path }) },
  });
  assert.equal(stdout.split('\n')[0], readlinkSync(path), stderr);
  assert.notEqual(readlinkSync(path), readlinkSync('/proc/self/ns/time'));
  bench.ok('delete', '--force', first.id);
});

const refused: [string, object, RegExp][] = [
  ['without a new time namespace', { timeOffsets }, /takes a new time namespace/],
  [
    'of a clock that has none',
    { timeOffsets: { realtime: { secs: 1 } }, namespaces: listed({ type: 'time' }) },
    /has the clock "realtime"/,
  ],
  [
    'of more nanoseconds than a second has',
    {
      timeOffsets: { boottime: { secs: 1, nanosecs: 1_000_000_000 } },
      namespaces: listed({ type: 'time' }),
    },
    /nanosecs is 1000000000/,
  ],
];

for (const [name, linux, message] of refused)
  test(`offsets ${name} are refused`, () => {
    const { status, stderr } = bench.create(bench.bundle(['/bin/true'], { linux }));
    assert.equal(status, 1);
    assert.match(stderr, message);
  });
