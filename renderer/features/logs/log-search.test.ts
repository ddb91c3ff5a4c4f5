import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogBuffer, line } from './log-buffer.ts';
import { nextMatch, nothing, searchOn, splitAtMatches } from './log-search.ts';

test('search goes on in slices, over what came since, and forgets what was dropped', () => {
  const buffer = new LogBuffer(5000);
  for (let number = 0; number < 100; number++)
    buffer.push(line(number % 10 === 0 ? 'An \x1b[31mERR\x1b[0mOR' : 'fine'));
  let found = searchOn(buffer, nothing('error'), 50);
  assert.deepEqual(found.lines, [0, 10, 20, 30, 40]);
  found = searchOn(buffer, found, 1000);
  assert.equal(found.lines.length, 10);
  assert.equal(searchOn(buffer, found, 1000), found);
  buffer.push(line('error again'));
  assert.deepEqual(searchOn(buffer, found, 1000).lines.at(-1), 100);
  buffer.clear();
  assert.deepEqual(searchOn(buffer, found, 1000).lines, []);
});

test('next and previous go round', () => {
  assert.equal(nextMatch([3, 7], undefined, 1), 3);
  assert.equal(nextMatch([3, 7], 7, 1), 3);
  assert.equal(nextMatch([3, 7], 3, -1), 7);
  assert.equal(nextMatch([], 3, 1), undefined);
});

test('matches are cut out in their own case', () => {
  assert.deepEqual(splitAtMatches('An Error or error.', 'error'), [
    'An ',
    'Error',
    ' or ',
    'error',
    '.',
  ]);
  assert.deepEqual(splitAtMatches('abc', ''), ['abc']);
});
