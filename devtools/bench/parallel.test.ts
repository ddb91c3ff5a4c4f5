import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineClient } from '../peers/engine-client.ts';
import { table } from './measure.ts';
import { benchParallel } from './parallel.ts';

/** Answers at once; or never, from the given call on. */
function fakeClient(hangsFrom = Number.POSITIVE_INFINITY): EngineClient & { calls: number } {
  const client = {
    calls: 0,
    call: () => {
      client.calls += 1;
      return client.calls < hangsFrom ? Promise.resolve({ Id: 'x' }) : new Promise<never>(() => {});
    },
    drain: () => Promise.resolve(),
    bytes: () => Promise.resolve(Buffer.alloc(0)),
    close() {},
  };
  return client;
}

test('an engine that hangs is left out, and said to be', async () => {
  const [quick, stuck] = [fakeClient(), fakeClient(30)];
  const engines = [
    { name: 'corten', client: quick },
    { name: 'podman', client: stuck },
  ] as const;
  const [result] = await benchParallel([...engines], 30, 20);
  assert.ok(result);
  assert.deepEqual(
    result.measurements.map(({ name, runs }) => [name, runs]),
    [['corten', 3]],
  );
  assert.deepEqual(result.remarks, ['podman left out: it did not come to an end within 0.02 s']);
  assert.match(table(result), /^- podman left out/m);
  // 50 to create, of which 29 were answered and went on to start; nothing in the other rounds.
  assert.equal(stuck.calls, 50 + 29);
});
