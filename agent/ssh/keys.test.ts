/** Keys that are made can be read: by ssh2, and by OpenSSH in openssh.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { makeKeyPair } from './keys.ts';

test('every pair can be read again, also those whose public key begins with zeros', () => {
  // One in 256 begins with a zero byte: among 2,000 there are none once in 2,500 runs.
  for (let made = 0; made < 2000; made += 1) {
    const pair = makeKeyPair('corten-test');
    for (const key of [pair.public, pair.private])
      assert.ok(!(ssh2.utils.parseKey(key) instanceof Error), pair.public);
  }
});
