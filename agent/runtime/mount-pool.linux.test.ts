import assert from 'node:assert/strict';
import { closeSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import type { OciMount } from '../contract/oci-runtime.ts';
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  readlinkat,
  splitDevice,
  withFd,
} from '../kernel/files.ts';
import { defaultMounts } from './default-spec.ts';
import { MountPool } from './mount-pool.ts';
import { closeTrees, type PlannedMount, planMounts } from './mounts.ts';

const given = (planned: readonly PlannedMount[]) =>
  planned.flatMap(({ destination, treeFd }) => (treeFd === undefined ? [] : [destination]));

const ofV2 = new Map([['', '/sys/fs/cgroup/x']]);
const ofV1 = new Map(['pids', 'memory', ''].map((name) => [name, `/sys/fs/cgroup/${name}/x`]));

/** What a plan gets, as its container would close it. */
function take(spare: MountPool, mounts: readonly OciMount[], groups = ofV2): string[] {
  const planned = planMounts(mounts);
  spare.give(planned, groups);
  const paths = given(planned);
  closeTrees(planned);
  return paths;
}

test('what the last container had on /dev is made ahead, filled, and given once', () => {
  const spare = new MountPool();
  assert.deepEqual(take(spare, defaultMounts()), []);
  spare.make();
  const planned = planMounts(defaultMounts());
  spare.give(planned, ofV2);
  assert.deepEqual(given(planned), ['/dev', '/dev/pts', '/dev/shm']);
  assert.deepEqual(take(spare, defaultMounts()), []);
  const dev = planned.find(({ destination }) => destination === '/dev');
  assert.equal(dev?.isFilled, true);
  const treeFd = dev.treeFd ?? -1;
  assert.equal(fstatSync(treeFd).mode & 0o7777, 0o755);
  for (const name of ['pts', 'mqueue', 'shm'])
    withFd(openat2(treeFd, name, O_PATH | O_NOFOLLOW, 0), (fd) => {
      assert.ok(fstatSync(fd).isDirectory(), name);
    });
  withFd(openat2(treeFd, 'null', O_PATH | O_NOFOLLOW, 0), (fd) =>
    assert.deepEqual(splitDevice(fstatSync(fd).rdev), { major: 1, minor: 3 }),
  );
  assert.equal(readlinkat(treeFd, 'ptmx'), 'pts/ptmx');
  closeTrees(planned);
  spare.close();
});

test('what is asked for in another way is not given', () => {
  const spare = new MountPool();
  const afterDefault = (mounts: OciMount[]) => {
    take(spare, defaultMounts());
    spare.make();
    return take(spare, mounts);
  };
  assert.deepEqual(afterDefault(defaultMounts(65536)), ['/dev', '/dev/pts']);
  const onNull = { destination: '/dev/null', source: '/dev/zero', options: ['bind'] };
  assert.deepEqual(afterDefault([...defaultMounts(), onNull]), [
    '/dev/pts',
    '/dev/shm',
    '/dev/null',
  ]);
  const withoutQueues = defaultMounts().filter(({ type }) => type !== 'mqueue');
  assert.deepEqual(afterDefault(withoutQueues), ['/dev/pts', '/dev/shm']);
  const twice = { destination: '/dev/shm', type: 'tmpfs', options: ['mode=1777'] };
  assert.deepEqual(afterDefault([...defaultMounts(), twice]), ['/dev/pts']);
  const ofImage = { destination: '/dev/shm', type: 'tmpfs', options: [] };
  take(spare, [ofImage]);
  spare.make();
  assert.deepEqual(take(spare, [ofImage]), []);
  spare.close();
});

test('groups of v1 get what they are mounted in, with these directories and no others', () => {
  const spare = new MountPool();
  const only = defaultMounts().filter(({ type }) => type === 'cgroup');
  take(spare, only, ofV1);
  spare.make();
  assert.deepEqual(take(spare, only, ofV2), []);
  assert.deepEqual(take(spare, only, new Map([...ofV1].slice(1))), []);
  take(spare, only, ofV1);
  spare.make();
  const planned = planMounts(only);
  spare.give(planned, ofV1);
  assert.deepEqual(given(planned), ['/sys/fs/cgroup']);
  for (const name of ['pids', 'memory', 'unified'])
    closeSync(openat2(planned[0]?.treeFd ?? -1, name, O_PATH | O_DIRECTORY, 0));
  closeTrees(planned);
  spare.close();
});

test('nothing of it stays open when it is closed', () => {
  const open = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === '/';
      } catch {
        return false;
      }
    }).length;
  const before = open();
  const spare = new MountPool();
  take(spare, defaultMounts());
  spare.make();
  assert.equal(open(), before + 3);
  take(spare, defaultMounts(65536));
  spare.make();
  assert.equal(open(), before + 3);
  spare.close();
  assert.equal(open(), before);
});
