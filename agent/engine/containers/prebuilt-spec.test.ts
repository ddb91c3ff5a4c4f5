import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BuiltSpec } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { PrebuiltSpec } from './prebuilt-spec.ts';

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
  return { upper, record, clock, prebuilt: new PrebuiltSpec(() => clock.ms) };
}

test('it is there for the very record that it was made from, once', (t) => {
  const { record, prebuilt } = bench(t);
  const one = record();
  prebuilt.prebuild(one, () => built);
  assert.equal(prebuilt.take({ ...one }), undefined);
  assert.equal(prebuilt.take(one), built);
  assert.equal(prebuilt.take(one), undefined);
});

test('not for long', (t) => {
  const { record, prebuilt, clock } = bench(t);
  const one = record();
  prebuilt.prebuild(one, () => built);
  clock.ms += 300;
  assert.equal(prebuilt.take(one), undefined);
});

test('not when something was copied into the container since', (t) => {
  const { record, prebuilt, upper } = bench(t);
  const one = record();
  prebuilt.prebuild(one, () => built);
  writeFileSync(join(upper, 'etc'), '');
  assert.equal(prebuilt.take(one), undefined);
});

test('not of what depends on others, or lies in a space of its own', (t) => {
  const { record, prebuilt, upper } = bench(t);
  const joining = record({
    settings: { namespaces: { ipc: { container: 'other' } }, network: { mode: 'none' } },
  });
  const limited = record({ rootfs: { upper, space: '/space' } });
  for (const one of [joining, limited]) {
    prebuilt.prebuild(one, () => built);
    assert.equal(prebuilt.take(one), undefined);
  }
});

test('what cannot be planned is left to the start', (t) => {
  const { record, prebuilt } = bench(t);
  const one = record();
  prebuilt.prebuild(one, () => {
    throw new Error('no such user');
  });
  assert.equal(prebuilt.take(one), undefined);
});

test('who makes containers and starts none has no more than three planned, until one is started at once', (t) => {
  const { record, clock, prebuilt } = bench(t);
  let planned = 0;
  const make = () => {
    const one = record();
    prebuilt.prebuild(one, () => {
      planned += 1;
      return built;
    });
    return one;
  };
  for (let each = 0; each < 50; each += 1) make();
  assert.equal(planned, 3);
  const late = make();
  clock.ms += 1000;
  assert.equal(prebuilt.take(late), undefined);
  make();
  assert.equal(planned, 3);
  assert.equal(prebuilt.take(make()), undefined);
  assert.equal(planned, 3);
  assert.equal(prebuilt.take(make()), built);
  assert.equal(planned, 4);
});

test('nothing is kept of a container that was removed', (t) => {
  const { record, prebuilt } = bench(t);
  const [one, other] = [record(), record()];
  prebuilt.prebuild(one, () => built);
  prebuilt.forget(other.id);
  prebuilt.forget(one.id);
  assert.equal(prebuilt.take(one), undefined);
});
