import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineClient } from '../peers/engine-client.ts';
import { table } from './measure.ts';
import { benchParallel } from './parallel.ts';

/** A client whose calls are answered at once, but for those from the given one on, which never are. */
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
  assert.deepEqual(result.remarks, ['podman left out: it did not finish within 0.02 s']);
  assert.match(table(result), /^- podman left out/m);
  // 50 calls create a container and 29 of them, which were answered, start it; no other round ran.
  assert.equal(stuck.calls, 50 + 29);
});
