/** Readings of whole documents that overlap, against a host whose answers the test lets go. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { Bridge, EngineRequest } from '../../electron/contract/bridge.ts';
import { provideBridge } from '../bridge/bridge.ts';
import { loadImages, useImages } from './images.ts';
import { inspect, useInspection } from './inspection.ts';
import { changeLimits, loadLimits, useLimits } from './limits.ts';

interface Question {
  method: string;
  answer(body: unknown, status?: number): void;
}

let questions: Question[] = [];

beforeEach(() => {
  questions = [];
  useImages.setState({ images: [], loaded: false, error: undefined });
  useInspection.setState({ id: undefined, document: undefined, error: undefined });
  useLimits.setState({ limits: {}, errors: {} });
  provideBridge({
    request: (_channel: string, { method }: EngineRequest) =>
      new Promise((done) => {
        questions.push({
          method,
          answer: (body, status = 200) =>
            done({ status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) }),
        });
      }),
  } as unknown as Bridge);
});

function question(index: number): Question {
  const asked = questions[index];
  assert.ok(asked, `only ${questions.length} questions were asked`);
  return asked;
}

const settled = () => new Promise((done) => setImmediate(done));

test('images: the older of two answers does not win, whenever it comes', async () => {
  const both = [loadImages(), loadImages()];
  question(1).answer([{ Id: 'new' }]);
  await both[1];
  question(0).answer([{ Id: 'old' }]);
  await both[0];
  assert.deepEqual(
    useImages.getState().images.map(({ Id }) => Id),
    ['new'],
  );
});

test('images: answers in their order are all shown', async () => {
  const both = [loadImages(), loadImages()];
  question(0).answer([{ Id: 'old' }]);
  await both[0];
  assert.equal(useImages.getState().images[0]?.Id, 'old');
  question(1).answer([{ Id: 'new' }]);
  await both[1];
  assert.equal(useImages.getState().images[0]?.Id, 'new');
});

test('images: a failure that was overtaken is not shown', async () => {
  const both = [loadImages(), loadImages()];
  question(1).answer([{ Id: 'new' }]);
  await both[1];
  question(0).answer({ message: 'the engine is starting' }, 500);
  await both[0];
  assert.equal(useImages.getState().error, undefined);
});

test('inspection: the older document does not come back, nor that of another container', async () => {
  const all = [inspect('other'), inspect('web'), inspect('web')];
  question(2).answer({ Id: 'web', Name: 'new' });
  await all[2];
  question(1).answer({ Id: 'web', Name: 'old' });
  question(0).answer({ Id: 'other', Name: 'other' });
  await Promise.all(all);
  assert.equal(useInspection.getState().document?.Name, 'new');
});

test('inspection: what is not looked at any more is not shown meanwhile', async () => {
  const all = [inspect('other'), inspect('web')];
  question(0).answer({ Id: 'other' });
  await all[0];
  assert.equal(useInspection.getState().document, undefined);
  question(1).answer({ Id: 'web' });
  await all[1];
  assert.equal(useInspection.getState().document?.Id, 'web');
});

test('limits: what was read before a change does not take it back', async () => {
  const early = loadLimits('web');
  const change = changeLimits('web', 'web', { pids: 50 }, undefined);
  assert.equal(question(1).method, 'POST');
  question(1).answer({ limits: { pids: 50 }, warnings: [] });
  await settled();
  question(2).answer({ pids: 50 });
  assert.equal(await change, undefined);
  question(0).answer({ pids: 10 });
  await early;
  assert.equal(useLimits.getState().limits.web?.pids, 50);
});

test('limits: a change that the engine refuses says so and changes nothing', async () => {
  const change = changeLimits('web', 'web', { pids: 0 }, undefined);
  question(0).answer({ message: 'pids must be at least 1' }, 400);
  assert.match((await change) ?? '', /at least 1/);
  assert.equal(questions.length, 1);
});
