/** The event stream over a break, against a host that tells what happened shortly before once more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bridge } from '../../electron/contract/bridge.ts';
import { provideBridge } from '../bridge/bridge.ts';
import { useActivity } from './activity.ts';
import { followEvents } from './events.ts';

const event = (timeNano: number, Action: string) => ({
  ...{ Type: 'volume', Action, timeNano, Actor: { ID: 'data' } },
});

test('what is told again after a break is shown once', async () => {
  const over = new AbortController();
  const rounds = [
    [event(1, 'create'), event(2, 'mount'), event(3, 'unmount')],
    [event(2, 'mount'), event(3, 'unmount'), event(4, 'destroy')],
  ];
  provideBridge({
    request: () => Promise.reject(new Error('not asked here')),
    async *stream() {
      const events = rounds.shift() ?? [];
      if (rounds.length === 0) over.abort();
      yield { head: { status: 200, headers: {} } };
      for (const one of events)
        yield { data: new TextEncoder().encode(`${JSON.stringify(one)}\n`) };
    },
  } as unknown as Bridge);
  await followEvents(over.signal);
  assert.deepEqual(
    useActivity.getState().entries.map(({ action }) => action),
    ['destroy', 'unmount', 'mount', 'create'],
  );
});
