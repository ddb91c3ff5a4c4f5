/** The machine's routes over a machine that only writes down what it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApi } from '../server.ts';
import { call } from '../testdata/call.ts';
import { fakeBackends } from '../testdata/fake-backend.ts';
import type { MachineBackend } from './backend.ts';

const asked: unknown[][] = [];
const machine: MachineBackend = {
  setClock: (hostTimeMs) => {
    asked.push(['clock', hostTimeMs]);
    return { offsetMs: 250, stepped: true };
  },
  setTimeZone: (name) => void asked.push(['zone', name]),
  sync: async () => void asked.push(['sync']),
  trim: async () => ({ trimmedBytes: 4096 }),
  grow: async () => ({ sizeBytes: 8192 }),
  freeMemory: () => void asked.push(['memory']),
  reseed: () => void asked.push(['reseed']),
  powerOff: () => void asked.push(['off']),
  figures: () => ({
    memoryTotalBytes: 2,
    memoryUsedBytes: 1,
    diskSizeBytes: 4,
    diskUsedBytes: 3,
    timeMs: 5,
  }),
};
const options = { productVersion: '0', report: () => {} };
const { app } = createApi({ ...fakeBackends(), machine }, options);
const path = '/corten/v1/machine';

test('the clock, the time zone and the rest reach the machine', async () => {
  const clock = await call(app, `POST ${path}/clock`, { timeMs: 1_700_000_000_000 });
  assert.deepEqual(clock.body, { offsetMs: 250, stepped: true });
  assert.equal((await call(app, `POST ${path}/time-zone`, { name: 'Asia/Tokyo' })).status, 204);
  assert.equal((await call(app, `POST ${path}/sync`)).status, 204);
  assert.equal((await call(app, `POST ${path}/free-memory`)).status, 204);
  assert.equal((await call(app, `POST ${path}/reseed`)).status, 204);
  assert.equal((await call(app, `POST ${path}/power-off`)).status, 202);
  assert.deepEqual(asked, [
    ['clock', 1_700_000_000_000],
    ['zone', 'Asia/Tokyo'],
    ['sync'],
    ['memory'],
    ['reseed'],
    ['off'],
  ]);
  assert.deepEqual((await call(app, `POST ${path}/trim`)).body, { trimmedBytes: 4096 });
  assert.deepEqual((await call(app, `POST ${path}/grow`)).body, { sizeBytes: 8192 });
  assert.equal((await call(app, `GET ${path}/figures`)).status, 200);
});

test('what is missing is named', async () => {
  const clock = await call(app, `POST ${path}/clock`, {});
  assert.equal(clock.status, 400);
  assert.match(JSON.stringify(clock.body), /timeMs is missing/);
  const zone = await call(app, `POST ${path}/time-zone`, {});
  assert.equal(zone.status, 400);
});

test("an agent on somebody else's machine leaves it alone", async () => {
  const { app: other } = createApi(fakeBackends(), options);
  for (const one of ['clock', 'trim', 'power-off', 'reseed']) {
    const answer = await call(other, `POST ${path}/${one}`, { timeMs: 1 });
    assert.equal(answer.status, 501);
    assert.match(JSON.stringify(answer.body), /does not run in a virtual machine of the app/);
  }
});
