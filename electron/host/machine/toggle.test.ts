import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Choice, whileOn } from './toggle.ts';

test('it is there while it is chosen, one closed before the next begins, and gone at the end', async () => {
  const events: string[] = [];
  const choice = new Choice(false);
  let count = 0;
  const kept = whileOn(
    choice,
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
  choice.set(true);
  choice.set(true);
  await new Promise((resolve) => setImmediate(resolve));
  choice.set(false);
  choice.set(true);
  await kept.close();
  choice.set(false);
  choice.set(true);
  await kept.close();
  assert.deepEqual(events, ['begin 1', 'end 1']);
});

test('one that cannot begin is told of, and begins when it is chosen anew', async () => {
  const choice = new Choice(true);
  const events: string[] = [];
  const kept = whileOn(
    choice,
    () => {
      events.push('tried');
      if (events.length === 1) throw new Error('not now');
      return { close: () => void events.push('end') };
    },
    (error) => events.push((error as Error).message),
  );
  await new Promise((resolve) => setImmediate(resolve));
  choice.set(false);
  choice.set(true);
  await new Promise((resolve) => setImmediate(resolve));
  await kept.close();
  assert.deepEqual(events, ['tried', 'not now', 'tried', 'end']);
});
