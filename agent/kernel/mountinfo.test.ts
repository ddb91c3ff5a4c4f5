import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from './mountinfo.ts';

test('a line of every kind: optional fields, none, several', () => {
  const text = [
    '36 35 0:30 / /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec - cgroup cgroup rw,cpu',
    '40 35 254:0 /srv/data /data rw,relatime shared:9 master:1 - ext4 /dev/vda rw,discard',
    '',
  ].join('\n');
  assert.deepEqual(parseMountinfo(text), [
    {
      id: 36,
      parentId: 35,
      device: '0:30',
      root: '/',
      mountPoint: '/sys/fs/cgroup/cpu',
      options: ['ro', 'nosuid', 'nodev', 'noexec'],
      type: 'cgroup',
      source: 'cgroup',
      superOptions: ['rw', 'cpu'],
    },
    {
      id: 40,
      parentId: 35,
      device: '254:0',
      root: '/srv/data',
      mountPoint: '/data',
      options: ['rw', 'relatime'],
      type: 'ext4',
      source: '/dev/vda',
      superOptions: ['rw', 'discard'],
    },
  ]);
});

test('names that pose as other fields or lines are names', () => {
  // What the kernel writes for a folder called "a - proc proc rw\n1 2 0:3 / /proc ro".
  const evil = '/a\\040-\\040proc\\040proc\\040rw\\0121\\0402\\0400:3\\040/\\040/proc\\040ro';
  const [mount, ...more] = parseMountinfo(`9 1 0:5 / ${evil} rw - tmpfs x\\134y rw\n`);
  assert.equal(mount?.mountPoint, '/a - proc proc rw\n1 2 0:3 / /proc ro');
  assert.equal(mount?.type, 'tmpfs');
  assert.equal(mount?.source, 'x\\y');
  assert.deepEqual(more, []);
});

test('an escaped backslash does not begin another escape', () => {
  assert.equal(parseMountinfo('9 1 0:5 / /a\\134040b rw - tmpfs t rw')[0]?.mountPoint, '/a\\040b');
});

test('half a line, as at the end of what was read, is no mount', () => {
  assert.deepEqual(parseMountinfo('9 1 0:5 / /a rw - tmpfs'), []);
  assert.deepEqual(parseMountinfo('9 1 0:5 / /a rw'), []);
});
