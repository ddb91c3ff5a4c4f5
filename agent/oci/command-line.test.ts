import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberOf, type Options, parseAnywhere, parseOptions, textsOf } from './command-line.ts';

const options = {
  bundle: { type: 'string', short: 'b' },
  env: { type: 'string', short: 'e', multiple: true },
  force: { type: 'boolean', short: 'f' },
} as const satisfies Options;

test('options end at the first word, and what follows is a program’s own', () => {
  const { values, words } = parseOptions(['-b', 'dir', '--force', 'id', 'ls', '--force'], options);
  assert.deepEqual({ ...values }, { bundle: 'dir', force: true });
  assert.deepEqual(words, ['id', 'ls', '--force']);
  assert.deepEqual(parseOptions(['--bundle=x', '--', '-id'], options).words, ['-id']);
});

test('programs in Go may write one dash', () => {
  assert.equal(parseOptions(['-bundle', 'dir', 'id'], options).values.bundle, 'dir');
});

test('options after words, where those are ours', () => {
  const { values, words } = parseAnywhere(['id', '--force'], options);
  assert.deepEqual([values.force, words], [true, ['id']]);
});

test('lists and numbers', () => {
  const call = parseOptions(['-e', 'A=1', '-e', 'B=2', '-b', '12'], options);
  assert.deepEqual(textsOf(call, 'env'), ['A=1', 'B=2']);
  assert.equal(numberOf(call, 'bundle'), 12);
  assert.throws(() => numberOf({ values: { n: '1.5' }, words: [] }, 'n'), /whole number/);
});

test('an unknown option is named', () => {
  assert.throws(() => parseOptions(['--nosuch', 'id'], options), /--nosuch/);
});
