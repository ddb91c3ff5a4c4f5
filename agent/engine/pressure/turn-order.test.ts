import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Precedence } from './precedence.ts';
import { sample } from './testdata/samples.ts';
import { TurnOrder } from './turn-order.ts';

const ids = ['a', 'b', 'c', 'd', 'bomb', 'gone'];

/** All but the bomb use next to nothing. */
function contending() {
  const told: string[] = [];
  let onTold = (_id: string) => {};
  const order = new TurnOrder({
    setPrecedence: (id: string, { now }: { now: Precedence }) => {
      told.push(`${id} ${now}`);
      onTold(id);
    },
    report: (what, error) => assert.fail(`${what}: ${error}`),
  });
  for (const id of ids) order.add(id);
  order.look('bomb', sample(1, { pids: { refusals: 1000 } }));
  const used = new Map(ids.map((id) => [id, id === 'bomb' ? 1.5 : 0.02]));
  return { order, told, used, listen: (listener: typeof onTold) => (onTold = listener) };
}

test('turn order: each is told what it is, in the order of the looks', async () => {
  const { order, told, used } = contending();
  await order.set(used, true);
  assert.deepEqual(told, ['a ahead', 'b ahead', 'c ahead', 'd ahead', 'bomb held', 'gone ahead']);
});

test('turn order: what is told to end, or ends, while the others are being set is not held, or not set', async () => {
  const { order, told, used, listen } = contending();
  // There is a pause after the fourth.
  listen((id) => {
    if (id !== 'a') return;
    order.letEnd('bomb');
    order.remove('gone');
  });
  await order.set(used, true);
  assert.deepEqual(told, ['a ahead', 'b ahead', 'c ahead', 'd ahead', 'bomb behind']);
});

test('turn order: one that is held is let go at once when it is to end', async () => {
  const { order, told, used } = contending();
  await order.set(used, true);
  told.length = 0;
  order.letEnd('bomb');
  assert.deepEqual(told, ['bomb behind']);
});
