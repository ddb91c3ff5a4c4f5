import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogBuffer, line } from './log-buffer.ts';

test('numbers stay with their lines when the oldest go', () => {
  const buffer = new LogBuffer(10_000);
  for (let number = 0; number < 25_000; number++) buffer.push(line(`line ${number}`));
  assert.equal(buffer.end, 25_000);
  assert.ok(buffer.end - buffer.first <= 10_000);
  assert.equal(buffer.at(buffer.first)!.text, `line ${buffer.first}`);
  assert.equal(buffer.at(24_999)!.text, 'line 24999');
  assert.equal(buffer.at(buffer.first - 1), undefined);
  assert.equal(buffer.at(25_000), undefined);
});

test('clear empties the view and later lines follow', () => {
  const buffer = new LogBuffer(5000);
  buffer.push(line('before'));
  buffer.clear();
  assert.equal(buffer.at(0), undefined);
  buffer.push(line('after'));
  assert.equal(buffer.first, 1);
  assert.equal(buffer.at(1)!.text, 'after');
});

test('a million lines fit', () => {
  const buffer = new LogBuffer(1_000_000);
  for (let number = 0; number < 1_000_000; number++) buffer.push(line('x'));
  assert.equal(buffer.first, 0);
  assert.equal(buffer.end, 1_000_000);
});
