import assert from 'node:assert/strict';
import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import type { OciMount } from '../contract/oci-runtime.ts';
import { O_NOFOLLOW, O_PATH, openat2, readlinkat, splitDevice, withFd } from '../kernel/files.ts';
import { defaultMounts } from './default-spec.ts';
import { closeTrees, type PlannedMount, planMounts } from './mounts.ts';
import { SpareMounts } from './spare-mounts.ts';

const given = (planned: readonly PlannedMount[]) =>
  planned.flatMap(({ destination, treeFd }) => (treeFd === undefined ? [] : [destination]));

/** What a plan gets, as its container would close it. */
function take(spare: SpareMounts, mounts: readonly OciMount[]): string[] {
  const planned = planMounts(mounts);
  spare.give(planned);
  const paths = given(planned);
  closeTrees(planned);
  return paths;
}

test('what the last container had on /dev is made ahead, filled, and given once', () => {
  const spare = new SpareMounts();
  assert.deepEqual(take(spare, defaultMounts()), []);
  spare.make();
  const planned = planMounts(defaultMounts());
  spare.give(planned);
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
  const spare = new SpareMounts();
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
  const spare = new SpareMounts();
  take(spare, defaultMounts());
  spare.make();
  assert.equal(open(), before + 3);
  take(spare, defaultMounts(65536));
  spare.make();
  assert.equal(open(), before + 3);
  spare.close();
  assert.equal(open(), before);
});
