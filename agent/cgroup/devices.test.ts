import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceProgram } from './devices.ts';

const instructions = (...rules: Parameters<typeof deviceProgram>[0]) =>
  deviceProgram(rules).length / 8;

test('nothing is emitted after a rule that always matches: the verifier refuses dead code', () => {
  const all = { allow: true, type: 'a', access: 'rwm' } as const;
  const one = { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' } as const;
  assert.equal(instructions(one, all), instructions(all));
  assert.ok(instructions(all, one) > instructions(all));
});

test('unknown access is refused', () => {
  assert.throws(
    () => deviceProgram([{ allow: true, type: 'c', access: 'rx' }]),
    /invalid device access/,
  );
});
