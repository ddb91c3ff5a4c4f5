import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnsi, plain, withoutEscapes } from './ansi.ts';

test('colours split a line into spans', () => {
  const { spans, end } = parseAnsi('a \x1b[1;31merror\x1b[0m b', plain);
  assert.deepEqual(
    spans.map((span) => span.text),
    ['a ', 'error', ' b'],
  );
  assert.deepEqual(spans[1]!.style, { bold: true, color: 1 });
  assert.deepEqual(end, plain);
});

test('a colour that is not reset goes on in the next line', () => {
  const { end } = parseAnsi('\x1b[92mstart', plain);
  assert.deepEqual(end, { color: 10 });
  assert.deepEqual(parseAnsi('more', end).spans[0]!.style, { color: 10 });
});

test('256 colours and true colours', () => {
  assert.equal(parseAnsi('\x1b[38;5;196mx', plain).spans[0]!.style.color, '#ff0000');
  assert.equal(parseAnsi('\x1b[38;5;240mx', plain).spans[0]!.style.color, '#585858');
  assert.equal(parseAnsi('\x1b[48;2;1;2;3mx', plain).spans[0]!.style.background, '#010203');
  assert.deepEqual(parseAnsi('\x1b[38;5;9;1mx', plain).spans[0]!.style, { color: 9, bold: true });
});

test('other escapes vanish, also cut ones at the end', () => {
  assert.equal(withoutEscapes('\x1b]0;title\x07a\x1b[2Kb\x1b[?25lc'), 'abc');
  assert.equal(withoutEscapes('plain'), 'plain');
});
