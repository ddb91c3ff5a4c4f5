import assert from 'node:assert/strict';
import { chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultDirectories } from './user-directories.ts';

const home = '/home/ann';
const self = process.getuid?.() ?? 0;
const uid = self === 0 ? 4242 : self;
/** A number that is nobody's here, so that there is no /run/user of it. */
const nobody = 3_999_999_999;

test('root’s are the machine’s, whatever its session says', () => {
  const environment = { XDG_DATA_HOME: '/elsewhere', XDG_RUNTIME_DIR: '/run/user/0' };
  assert.deepEqual(defaultDirectories({ uid: 0, home: '/root', environment }), {
    root: '/var/lib/corten',
    run: '/run/corten',
  });
});

test('a user’s are where the session says', () => {
  const runtime = mkdtempSync(join(tmpdir(), 'corten-xdg-'));
  if (uid !== self) chownSync(runtime, uid, uid);
  const environment = { XDG_DATA_HOME: '/data', XDG_RUNTIME_DIR: runtime };
  assert.deepEqual(defaultDirectories({ uid, home, environment }), {
    root: '/data/corten',
    run: join(runtime, 'corten'),
  });
});

test('without a session, or with one that is not the user’s, all is at home', () => {
  const root = '/home/ann/.local/share/corten';
  const expected = { root, run: `${root}/run` };
  for (const environment of [{}, { XDG_DATA_HOME: 'relative', XDG_RUNTIME_DIR: tmpdir() }])
    assert.deepEqual(defaultDirectories({ uid: nobody, home, environment }), expected);
});
