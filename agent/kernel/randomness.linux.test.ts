import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { drawNewRandomness } from './randomness.ts';

// That the same memory draws other bytes after it shows only in a restored machine: it is part of
// electron/e2e/vm.vm.test.ts.
test('the kernel and OpenSSL take a new seed', () => {
  const before = randomBytes(16);
  drawNewRandomness();
  assert.notDeepEqual(randomBytes(16), before);
});
