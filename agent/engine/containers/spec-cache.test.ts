import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BuiltSpec } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { SpecCache } from './spec-cache.ts';

const built = { deviceRules: [] } as unknown as BuiltSpec;

function bench(test: TestContext) {
  const upper = mkdtempSync(join(tmpdir(), 'corten-spec-ahead-'));
  test.after(() => rmSync(upper, { recursive: true, force: true }));
  let made = 0;
  const record = (changes = {}) =>
    ({
      id: String(made++),
      rootfs: { upper },
      settings: { namespaces: {}, network: { mode: 'none' } },
      ...changes,
    }) as unknown as ContainerRecord;
  const clock = { ms: 1000 };
  return { upper, record, clock, cache: new SpecCache(() => clock.ms) };
}

test('it is there for the very record that it was made from, once', (t) => {
  const { record, cache } = bench(t);
  const one = record();
  cache.prebuild(one, () => built);
  assert.equal(cache.take({ ...one }), undefined);
  assert.equal(cache.take(one), built);
  assert.equal(cache.take(one), undefined);
});

test('not for long', (t) => {
  const { record, cache, clock } = bench(t);
  const one = record();
  cache.prebuild(one, () => built);
  clock.ms += 300;
  assert.equal(cache.take(one), undefined);
});

test('not when something was copied into the container since', (t) => {
  const { record, cache, upper } = bench(t);
  const one = record();
  cache.prebuild(one, () => built);
  writeFileSync(join(upper, 'etc'), '');
  assert.equal(cache.take(one), undefined);
});

test('not of what depends on others, or lies in a space of its own', (t) => {
  const { record, cache, upper } = bench(t);
  const joining = record({
    settings: { namespaces: { ipc: { container: 'other' } }, network: { mode: 'none' } },
  });
  const limited = record({ rootfs: { upper, space: '/space' } });
  for (const one of [joining, limited]) {
    cache.prebuild(one, () => built);
    assert.equal(cache.take(one), undefined);
  }
});

test('what cannot be planned is left to the start', (t) => {
  const { record, cache } = bench(t);
  const one = record();
  cache.prebuild(one, () => {
    throw new Error('no such user');
  });
  assert.equal(cache.take(one), undefined);
});

test('who makes containers and starts none has no more than three planned, until one is started at once', (t) => {
  const { record, clock, cache } = bench(t);
  let planned = 0;
  const make = () => {
    const one = record();
    cache.prebuild(one, () => {
      planned += 1;
      return built;
    });
    return one;
  };
  for (let each = 0; each < 50; each += 1) make();
  assert.equal(planned, 3);
  const late = make();
  clock.ms += 1000;
  assert.equal(cache.take(late), undefined);
  make();
  assert.equal(planned, 3);
  assert.equal(cache.take(make()), undefined);
  assert.equal(planned, 3);
  assert.equal(cache.take(make()), built);
  assert.equal(planned, 4);
});

test('nothing is kept of a container that was removed', (t) => {
  const { record, cache } = bench(t);
  const [one, other] = [record(), record()];
  cache.prebuild(one, () => built);
  cache.forget(other.id);
  cache.forget(one.id);
  assert.equal(cache.take(one), undefined);
});
