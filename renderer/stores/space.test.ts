import assert from 'node:assert/strict';
import { test } from 'node:test';
import { littleLeft } from './space.ts';

const MiB = 1024 ** 2;

test('a disk is nearly full before its file system refuses', () => {
  assert.equal(littleLeft({ usedBytes: 31 * MiB, maxBytes: 32 * MiB }), MiB);
  assert.equal(littleLeft({ usedBytes: 33 * MiB, maxBytes: 32 * MiB }), 0);
  assert.equal(littleLeft({ usedBytes: 990 * MiB, maxBytes: 1000 * MiB }), 10 * MiB);
  assert.equal(littleLeft({ usedBytes: 30 * MiB, maxBytes: 32 * MiB }), undefined);
});

test('what nobody counts or limits is not full', () => {
  assert.equal(littleLeft({ usedBytes: null, maxBytes: 1 }), undefined);
  assert.equal(littleLeft({ usedBytes: 1, maxBytes: null }), undefined);
});
