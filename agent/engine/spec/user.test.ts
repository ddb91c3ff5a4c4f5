import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveUser } from './user.ts';

const files = {
  passwd: [
    '# a comment',
    'root:x:0:0:root:/root:/bin/sh',
    'web:x:1000:1001:Web:/srv/web:/bin/sh',
    '2000:x:7:7::/odd:/bin/sh',
    'broken:x:notanumber:0::/root:/bin/sh',
    'huge:x:4294967296:0::/root:/bin/sh',
    'negative:x:-1:0::/root:/bin/sh',
    '',
  ].join('\n'),
  group: 'root:x:0:\nweb:x:1001:\nvideo:x:44:web,other\naudio:x:29:web\nstaff:x:50:root\n',
};

test('nobody asked for is root, with its groups and home', () => {
  assert.deepEqual(resolveUser('', files), {
    uid: 0,
    gid: 0,
    additionalGids: [0, 50],
    home: '/root',
  });
});

test('a name brings its group, memberships and home', () => {
  const web = { uid: 1000, gid: 1001, additionalGids: [1001, 44, 29], home: '/srv/web' };
  assert.deepEqual(resolveUser('web', files), web);
  assert.deepEqual(resolveUser('1000', files), web);
});

test('a group that is named stands alone', () => {
  assert.deepEqual(resolveUser('web:staff', files), {
    uid: 1000,
    gid: 50,
    additionalGids: [50],
    home: '/srv/web',
  });
  assert.equal(resolveUser('web:4321', files).gid, 4321);
  assert.equal(resolveUser(':video', files).uid, 0);
});

test('a number needs no entry', () => {
  assert.deepEqual(resolveUser('4000:5000', files), {
    uid: 4000,
    gid: 5000,
    additionalGids: [5000],
    home: '/',
  });
  assert.equal(resolveUser('4000', { passwd: '', group: '' }).gid, 0);
});

test('a number is never a name', () => {
  assert.equal(resolveUser('2000', files).uid, 2000);
});

test('added groups come by name and number', () => {
  assert.deepEqual(
    resolveUser('web', files, ['staff', '77']).additionalGids,
    [1001, 44, 29, 50, 77],
  );
  assert.throws(() => resolveUser('web', files, ['nope']), /Unable to find group nope/);
});

test('what cannot be found or is out of range is refused', () => {
  const cases: [string, RegExp][] = [
    ['nope', /unable to find user nope: no matching entries in passwd file/],
    ['web:nope', /unable to find group nope: no matching entries in group file/],
    ['4294967296', /uids and gids must be in range 0-2147483647/],
    ['-1', /uids and gids must be in range/],
    ['+5', /uids and gids must be in range/],
    ['web:-1', /uids and gids must be in range/],
    ['a:b:c', /invalid user/],
    ['we b', /invalid user/],
    ['0x0', /unable to find user 0x0/],
  ];
  for (const [spec, message] of cases)
    assert.throws(() => resolveUser(spec, files), { kind: 'invalid', message }, spec);
});

test('entries that make no sense are no entries', () => {
  for (const name of ['broken', 'huge', 'negative'])
    assert.throws(() => resolveUser(name, files), /unable to find user/, name);
});
