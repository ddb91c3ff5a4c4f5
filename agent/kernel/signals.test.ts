import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSignal } from './signals.ts';

test('a signal is a name, with or without SIG, in any case, or a number', () => {
  for (const signal of ['SIGTERM', 'TERM', 'sigterm', 'term', '15'])
    assert.equal(parseSignal(signal), 15, signal);
  assert.equal(parseSignal('KILL'), 9);
  assert.equal(parseSignal('WINCH'), 28);
  assert.equal(parseSignal('CLD'), 17);
});

test('real-time signals count from both ends', () => {
  assert.equal(parseSignal('SIGRTMIN'), 34);
  assert.equal(parseSignal('SIGRTMIN+3'), 37);
  assert.equal(parseSignal('RTMAX-2'), 62);
  assert.equal(parseSignal('64'), 64);
});

test('anything else is refused in dockerd’s words', () => {
  for (const signal of ['', '0', '65', '-9', 'SIGNOPE', '15x', 'RTMIN+31', 'RTMIN-1', '0x9'])
    assert.throws(() => parseSignal(signal), {
      kind: 'invalid',
      message: `Invalid signal: ${signal}`,
    });
});
