import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atLeast, firstProjectOf, hasCapability, mountOf, quotaKind } from './detect.ts';

const mountinfo = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 21 8:1 / /var rw,relatime shared:5 - xfs /dev/sda1 rw,attr2,inode64,prjquota
31 30 8:2 / /var/lib rw,relatime - ext4 /dev/sda2 rw,prjquota
32 30 8:3 / /var/my\\040disk rw - xfs /dev/sda3 rw,noquota
33 32 8:4 / /var/my\\040disk rw master:1 - xfs /dev/sda4 rw,pquota
`;

test('the state file system is the deepest mount, and the last of several at one place', () => {
  const kindAt = (path: string) => quotaKind(mountOf(mountinfo, path));
  assert.equal(kindAt('/var/corten'), 'xfs-quota');
  assert.equal(kindAt('/var/lib/corten'), 'ext4-quota');
  assert.equal(kindAt('/var/my disk/corten'), 'xfs-quota');
  assert.equal(kindAt('/variety'), undefined, 'a name that merely begins alike');
  assert.equal(kindAt('/home/corten'), undefined);
});

test('a quota that is only counted holds nobody to a limit', () => {
  assert.equal(quotaKind({ type: 'xfs', options: ['rw', 'pqnoenforce'] }), undefined);
  assert.equal(quotaKind({ type: 'ext4', options: ['rw', 'usrquota'] }), undefined);
  assert.equal(quotaKind({ type: 'btrfs', options: ['rw', 'prjquota'] }), undefined);
});

test('two agents on one file system use numbers of their own', () => {
  const first = firstProjectOf('/var/lib/corten');
  assert.notEqual(first, firstProjectOf('/srv/corten'));
  assert.equal(first % 65_536, 0);
  assert.ok(first >= 65_536 && first < 2 ** 31 + 65_536);
});

test('what the kernel is and lets us do', () => {
  assert.equal(hasCapability('Name:\tx\nCapEff:\t000001fffeffffff\n', 24n), false);
  assert.equal(hasCapability('Name:\tx\nCapEff:\t000001ffffffffff\n', 24n), true);
  assert.equal(atLeast('6.15.0-rc1', 6, 15), true);
  assert.equal(atLeast('6.9.3', 6, 15), false);
  assert.equal(atLeast('7.0', 6, 15), true);
});
