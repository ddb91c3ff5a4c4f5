import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapArguments, parseSubordinateIds, totalIds } from './subordinate-ids.ts';

const ann = { name: 'ann', uid: 1000 };

test('the lines of a user, by name or number; others and what is no line are left out', () => {
  const text = 'bob:1:2\nann:100000:65536\n1000:300000:10\n\nann:x:5\nann:7:0\nann\n# ann:1:1\n';
  const ranges = parseSubordinateIds(text, ann);
  assert.deepEqual(ranges, [
    { first: 100_000, count: 65_536 },
    { first: 300_000, count: 10 },
  ]);
  assert.equal(totalIds(ranges), 65_546);
});

test('inside, the user is 0 and its ranges follow without a gap', () => {
  const ranges = [
    { first: 100_000, count: 65_536 },
    { first: 300_000, count: 10 },
  ];
  assert.equal(mapArguments(1000, ranges).join(' '), '0 1000 1 1 100000 65536 65537 300000 10');
});
