import assert from 'node:assert/strict';
import { test } from 'node:test';
import { affinitySteps } from './scheduling.ts';

test('a list of processors is a mask of whole words', () => {
  assert.deepEqual(affinitySteps(undefined), []);
  assert.deepEqual(affinitySteps(''), []);
  const maskOf = (list: string) => {
    const [step] = affinitySteps(list);
    return step?.do === 'affinity' ? [...step.mask] : undefined;
  };
  assert.deepEqual(maskOf('0-2, 5'), [0b100111, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(maskOf('64'), [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  for (const wrong of ['a', '3-1', '1,,2', '-1', '8192', '0-99999'])
    assert.throws(() => affinitySteps(wrong), { kind: 'invalid' }, wrong);
});
