import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, FrameError } from './codec.ts';
import type { WireMessage } from './wire.ts';

const bytes = new Uint8Array([0, 1, 2, 255]);

const messages: WireMessage[] = [
  { type: 'request', id: 1, channel: 'machine.state', value: undefined },
  {
    type: 'request',
    id: 2,
    channel: 'engine.request',
    value: { method: 'PUT', path: '/ä', body: bytes },
  },
  { type: 'request', id: 2 ** 32 - 1, channel: 'shell.open', value: 'http://x/' },
  { type: 'stream', id: 3, channel: 'machines.watch', value: null },
  { type: 'send', id: 4, value: { data: bytes } },
  { type: 'send', id: 4, value: { resize: { rows: 1, columns: 2 } } },
  { type: 'credit', id: 5, value: 131072 },
  { type: 'close', id: 6 },
  { type: 'result', id: 7, value: { status: 200, headers: { a: 'b' }, body: new Uint8Array() } },
  { type: 'item', id: 8, value: { data: bytes } },
  { type: 'opened', id: 9 },
  { type: 'end', id: 10 },
  { type: 'failure', id: 11, value: { name: 'N', message: '…' } },
];

test('every kind of message comes back as it was', () => {
  for (const message of messages) {
    const { value, ...rest } = { value: undefined, ...message };
    const { value: decoded, ...decodedRest } = { value: undefined, ...decode(encode(message)) };
    assert.deepEqual(decodedRest, rest);
    assert.deepEqual(decoded, value);
  }
});

test('terminal output costs a few bytes more than itself', () => {
  const data = new Uint8Array(1000);
  assert.ok(encode({ type: 'item', id: 1, value: { data } }).length <= 1016);
});

test('a frame cut anywhere is named as broken, or is a shorter run of bytes', () => {
  for (const message of messages) {
    const frame = encode(message);
    for (let length = 0; length < frame.length; length++) {
      try {
        decode(frame.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
      }
    }
  }
  assert.throws(() => decode(new Uint8Array()), FrameError);
});

test('random bytes never do more than fail', () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed;
  };
  for (let round = 0; round < 5000; round++) {
    const frame = Uint8Array.from({ length: next() % 40 }, () => next() % 256);
    frame[0] = next() % 11;
    try {
      decode(frame);
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
    }
  }
});

test('a field name cannot reach a prototype', () => {
  const frame = encode({ type: 'send', id: 1, value: { aaaaaaaaa: bytes } });
  frame.set(new TextEncoder().encode('__proto__'), 7);
  const decoded = decode(frame) as unknown as { value: object };
  assert.equal(Object.getPrototypeOf(decoded.value), Object.prototype);
});
