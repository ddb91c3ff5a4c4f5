/** Rows while readings and events overtake each other, against a host whose answers the test lets go. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bridge, EngineRequest } from '../../electron/contract/bridge.ts';
import { provideBridge } from '../bridge/bridge.ts';
import type { ContainerSummary } from '../bridge/containers.ts';
import { applyContainerEvent, loadContainers, useContainers } from './containers.ts';

interface Reading {
  path: string;
  /** What the engine has to say, whenever it comes. */
  answer(...containers: ContainerSummary[]): void;
}

let readings: Reading[] = [];

beforeEach(() => {
  readings = [];
  useContainers.setState({ rows: new Map(), loaded: false, error: undefined, pending: new Map() });
  provideBridge({
    request: (_channel: string, { path }: EngineRequest) =>
      new Promise((done) => {
        readings.push({
          path,
          answer: (...containers) =>
            done({
              status: 200,
              headers: {},
              body: new TextEncoder().encode(JSON.stringify(containers)),
            }),
        });
      }),
  } as unknown as Bridge);
});

const summary = (State: string): ContainerSummary =>
  ({ Id: 'abc', Names: ['/web'], State, Status: '' }) as ContainerSummary;
const tell = (Action: string) => applyContainerEvent({ Action, Actor: { ID: 'abc' } });
const status = () => useContainers.getState().rows.get('abc')?.status;

/** The n-th reading that was asked for, once it is. */
async function reading(n: number): Promise<Reading> {
  for (let tries = 0; tries < 200; tries++) {
    if (readings[n]) return readings[n];
    await sleep(5);
  }
  throw new Error(`There were ${readings.length} readings.`);
}

async function shows(wanted: string | undefined): Promise<void> {
  for (let tries = 0; tries < 200 && status() !== wanted; tries++) await sleep(5);
  assert.equal(status(), wanted);
}

test('what was read before an event does not take the event back', async () => {
  tell('start');
  const early = await reading(0);
  tell('pause');
  early.answer(summary('running'));
  (await reading(1)).answer(summary('paused'));
  await shows('paused');
});

test('the whole list, read before an event, does not take it back either', async () => {
  const loading = loadContainers();
  const early = await reading(0);
  tell('die');
  early.answer(summary('running'));
  await loading;
  assert.equal(useContainers.getState().loaded, true);
  (await reading(1)).answer(summary('exited'));
  await shows('exited');
});

test('a container that was removed while it was read stays gone', async () => {
  const loading = loadContainers();
  const early = await reading(0);
  tell('destroy');
  early.answer(summary('running'));
  await loading;
  assert.equal(status(), undefined);
  (await reading(1)).answer();
  await sleep(50);
  assert.equal(status(), undefined);
});

test('a reading that nothing overtook is taken as it is, and asked for once', async () => {
  tell('create');
  tell('start');
  const only = await reading(0);
  assert.match(only.path, /filters=.*abc/);
  only.answer(summary('running'));
  await shows('running');
  await sleep(50);
  assert.equal(readings.length, 1);
});
