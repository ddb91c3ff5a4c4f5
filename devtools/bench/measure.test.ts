import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percentile } from './measure.ts';

test('percentile: the nearest rank, whatever the order', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(percentile(values, 0.5), 100);
  assert.equal(percentile(values, 0.99), 198);
  assert.equal(percentile(values, 1), 200);
});

test('percentile: one value is every percentile, none is not a number', () => {
  assert.equal(percentile([7], 0), 7);
  assert.equal(percentile([7], 0.99), 7);
  assert.ok(Number.isNaN(percentile([], 0.99)));
});
