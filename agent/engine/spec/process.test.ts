import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oomScoreOf } from './process.ts';

test('a protected engine does not pass its OOM score on; one that was asked for is kept', () => {
  assert.deepEqual(oomScoreOf({}, -500), { oomScoreAdj: 0 });
  assert.deepEqual(oomScoreOf({ oomScoreAdj: -100 }, -500), { oomScoreAdj: -100 });
  assert.deepEqual(oomScoreOf({}, 0), {});
  // An ordinary user's login has 100 or 200, and may not lower it.
  assert.deepEqual(oomScoreOf({}, 200), {});
});
