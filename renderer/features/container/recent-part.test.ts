import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryDocument } from '../../bridge/pressure.ts';
import { recentPart } from './recent-part.ts';

function seenFor(minutes: number): HistoryDocument {
  const observedSeconds = Array.from({ length: 360 }, (_, index) =>
    index < 360 - minutes * 6 ? null : 10,
  );
  return {
    id: 'x',
    fromMs: 0,
    stepSeconds: 10,
    columns: { observedSeconds } as HistoryDocument['columns'],
    stall: null,
    machineStall: null,
    events: [],
    absent: {},
  };
}

test('a young container fills its chart, an old one has the hour', () => {
  const lengths = [1, 6, 7, 30, 59, 60].map((minutes) => {
    const { columns, fromMs } = recentPart(seenFor(minutes));
    const { length } = columns.observedSeconds;
    // The end stays where it was.
    assert.equal(fromMs + length * 10_000, 3_600_000);
    return length / 6;
  });
  assert.deepEqual(lengths, [6, 6, 20, 40, 60, 60]);
  assert.equal(recentPart(seenFor(0)).columns.observedSeconds.length, 360);
});
