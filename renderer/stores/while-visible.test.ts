import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whileVisible } from './while-visible.ts';

test('work stops while the window is hidden, begins anew after, and ends with its view', (t) => {
  const window = Object.assign(new EventTarget(), { hidden: false });
  Object.assign(globalThis, { document: window });
  t.after(() => Reflect.deleteProperty(globalThis, 'document'));
  const signals: AbortSignal[] = [];
  const states = () => signals.map(({ aborted }) => (aborted ? 'over' : 'on'));
  const show = (hidden: boolean) => {
    window.hidden = hidden;
    window.dispatchEvent(new Event('visibilitychange'));
  };
  const stop = whileVisible(async (signal) => {
    signals.push(signal);
  });
  assert.deepEqual(states(), ['on']);
  show(true);
  assert.deepEqual(states(), ['over']);
  show(false);
  assert.deepEqual(states(), ['over', 'on']);
  stop();
  assert.deepEqual(states(), ['over', 'over']);
  show(true);
  show(false);
  assert.equal(signals.length, 2);
});
