import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultIdPool, drawRange, type IdBlock, type IdPool, rangeLength } from './id-range.ts';

const pool = (ranges: number, reserved: IdPool['reserved'] = () => []): IdPool => ({
  first: 100_000,
  length: ranges * rangeLength + 17,
  reserved,
});
const id = (digits: string) => digits.padEnd(64, '0');

test('every range of a pool is given once, and none when all are', () => {
  const taken: IdBlock[] = [];
  for (let number = 0; number < 3; number++) taken.push(drawRange(pool(3), taken, id('abc')));
  assert.deepEqual(taken.map(({ first }) => first).sort(), [100_000, 165_536, 231_072]);
  assert.ok(taken.every(({ length }) => length === rangeLength));
  assert.throws(() => drawRange(pool(3), taken, id('abc')), {
    kind: 'unavailable',
    message: /all 3 ranges/,
  });
});

test('the container’s id decides, so that ids are not soon given anew', () => {
  const drawn = ['000000000001', '000000000002', 'fedcba987654'].map(
    (digits) => drawRange(pool(1000), [], id(digits)).first,
  );
  assert.equal(new Set(drawn).size, 3);
  assert.equal(drawRange(pool(1000), [], id('000000000001')).first, drawn[0]);
});

test('what others give out is left to them, also in part', () => {
  const reserved = () => [{ first: 165_000, length: 1 }];
  const drawn = drawRange(pool(2, reserved), [], id('0'));
  assert.equal(drawn.first, 165_536);
  assert.throws(() => drawRange(pool(1, reserved), [], id('0')), { kind: 'unavailable' });
});

test('the default pool lies where no user, no nspawn container and no id beyond 31 bits is', () => {
  assert.ok(defaultIdPool.first > 0x6fff_ffff);
  assert.ok(defaultIdPool.first + defaultIdPool.length <= 0x7ffe_0000);
  assert.ok(Array.isArray(defaultIdPool.reserved()));
});
