import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setXattr } from '../kernel/xattr.ts';
import { delegatedGroup, detectDelegatedDriver } from './delegated.ts';

const made: string[] = [];
after(() => {
  for (const directory of made) rmSync(directory, { recursive: true });
});

/** A directory that poses as a machine with cgroup v2 on which `path` was handed over. */
function machineWith(path: string): { mountinfo: string; mount: string } {
  const mount = mkdtempSync(join(tmpdir(), 'corten-delegated-'));
  made.push(mount);
  mkdirSync(join(mount, path), { recursive: true });
  for (const name of ['cgroup.procs', 'cgroup.subtree_control'])
    writeFileSync(join(mount, path, name), '');
  return { mount, mountinfo: `30 1 0:26 / ${mount} rw - cgroup2 cgroup2 rw\n` };
}

const v1 = '31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';

test('the group that it was started in, when it is its own', () => {
  const { mount, mountinfo } = machineWith('user.slice/corten.scope');
  const found = (memberships: string) => delegatedGroup({ mountinfo, memberships, managed: false });
  const own = join(mount, 'user.slice/corten.scope');
  assert.equal(found('0::/user.slice/corten.scope\n'), own);
  // An agent before it has moved everybody down, so that controllers could be handed on.
  assert.equal(found('0::/user.slice/corten.scope/corten-init\n'), own);
});

test('of a unit of systemd, only when systemd handed it over; a leaf of ours tells that it did', () => {
  const { mount, mountinfo } = machineWith('user.slice/terminal.scope');
  const found = (memberships: string) =>
    delegatedGroup({ mountinfo, memberships, managed: true }, 'it is asleep');
  const terminal = found('0::/user.slice/terminal.scope\n');
  assert.ok(typeof terminal === 'object');
  assert.match(terminal.cause, /terminal\.scope was not handed over to you: it is asleep\./);
  const own = join(mount, 'user.slice/terminal.scope');
  assert.equal(found('0::/user.slice/terminal.scope/corten-init\n'), own);
  const fd = openSync(own, 'r');
  setXattr(fd, 'user.delegate', Buffer.from('1'));
  closeSync(fd);
  assert.equal(found('0::/user.slice/terminal.scope\n'), own);
});

test('a part of the hierarchy, as a container sees it', () => {
  const { mount } = machineWith('app');
  const mountinfo = `30 1 0:26 /machine/one ${mount} rw - cgroup2 cgroup2 rw\n`;
  const memberships = '0::/machine/one/app\n';
  assert.equal(delegatedGroup({ mountinfo, memberships, managed: false }), join(mount, 'app'));
});

test('a group that is not there, and cgroup v1, are told with what to do', () => {
  const { mountinfo } = machineWith('own');
  const foreign = delegatedGroup({ mountinfo, memberships: '0::/init.scope\n', managed: false });
  assert.ok(typeof foreign === 'object');
  assert.match(foreign.cause, /init\.scope/);
  const old = delegatedGroup({
    mountinfo: mountinfo + v1,
    memberships: '0::/own\n',
    managed: false,
  });
  assert.ok(typeof old === 'object');
  assert.match(old.nextStep, /unified_cgroup_hierarchy=1/);
});

test('without control groups each limit is refused by name, and nothing else is', () => {
  const driver = detectDelegatedDriver(
    { parent: 'x' },
    { mountinfo: v1, memberships: '', managed: false },
  );
  assert.deepEqual(driver.controllers, []);
  driver.check({ disk: { maxBytes: 1 }, openFiles: 5, pids: null });
  assert.throws(() => driver.check({ memory: { maxBytes: 1e9 } }), /memory limit.*cgroup v1/);
  assert.throws(() => driver.create('a', { pids: 5 }, []), /pids limit.*sudo/);
  const group = driver.create('a', {}, []);
  assert.deepEqual([group.processes(), group.isFrozen(), group.oomKills()], [[], false, 0]);
  assert.throws(() => group.freeze(), /cannot pause/);
});
