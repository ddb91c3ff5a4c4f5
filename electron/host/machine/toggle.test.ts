import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Toggle, whileOn } from './toggle.ts';

test('it is there while it is chosen, one closed before the next begins, and gone at the end', async () => {
  const events: string[] = [];
  const toggle = new Toggle(false);
  let count = 0;
  const kept = whileOn(
    toggle,
    () => {
      const number = ++count;
      events.push(`begin ${number}`);
      return {
        close: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          events.push(`end ${number}`);
        },
      };
    },
    (error) => events.push(String(error)),
  );
  toggle.set(true);
  toggle.set(true);
  await new Promise((resolve) => setImmediate(resolve));
  toggle.set(false);
  toggle.set(true);
  await kept.close();
  toggle.set(false);
  toggle.set(true);
  await kept.close();
  assert.deepEqual(events, ['begin 1', 'end 1']);
});

test('one that cannot begin is told of, and begins when it is chosen anew', async () => {
  const toggle = new Toggle(true);
  const events: string[] = [];
  const kept = whileOn(
    toggle,
    () => {
      events.push('tried');
      if (events.length === 1) throw new Error('not now');
      return { close: () => void events.push('end') };
    },
    (error) => events.push((error as Error).message),
  );
  await new Promise((resolve) => setImmediate(resolve));
  toggle.set(false);
  toggle.set(true);
  await new Promise((resolve) => setImmediate(resolve));
  await kept.close();
  assert.deepEqual(events, ['tried', 'not now', 'tried', 'end']);
});
