/** Two machines and a person who goes from one to the other while answers are on their way. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Bridge, EngineRequest } from '../../electron/contract/bridge.ts';
import type { MachineView, OnMachine } from '../../electron/contract/machines.ts';
import { provideBridge } from '../bridge/bridge.ts';
import { applyContainerEvent, loadContainers, setPending, useContainers } from './containers.ts';
import { loadImages, useImages } from './images.ts';
import { onRunning, useMachine } from './machine.ts';
import { show, useMachines } from './machines.ts';
import { pull, usePulls } from './pulls.ts';
import { ask, useQuestion } from './question.ts';

interface Asked {
  machine: string;
  path: string;
  answer(document: unknown): void;
  refuse(error: Error): void;
}

let asked: Asked[] = [];
let pullLines: ((line: object | undefined) => void)[] = [];

const view = (id: string): MachineView => ({
  id,
  name: id,
  kind: 'remote',
  removable: true,
  state: { status: 'running', kind: 'remote', stages: [] },
});

beforeEach(() => {
  asked = [];
  pullLines = [];
  provideBridge({
    request: (_channel: string, { machine, path }: OnMachine<EngineRequest>) =>
      new Promise((done, reject) => {
        const encode = (document: unknown) => new TextEncoder().encode(JSON.stringify(document));
        asked.push({
          machine,
          path,
          answer: (document) => done({ status: 200, headers: {}, body: encode(document) }),
          refuse: reject,
        });
      }),
    async *stream() {
      yield { head: { status: 200, headers: {} } };
      for (;;) {
        const line = await new Promise<object | undefined>((next) => pullLines.push(next));
        if (line === undefined) return;
        yield { data: new TextEncoder().encode(`${JSON.stringify(line)}\n`) };
      }
    },
  } as unknown as Bridge);
  useMachines.setState({ machines: [view('one'), view('two')], shown: undefined });
  show('one');
});

const container = (Id: string) => ({ Id, Names: [`/${Id}`], State: 'running', Status: '' });
const rows = () => [...useContainers.getState().rows.keys()];

test('an answer of the machine that was left is not shown at the other', async () => {
  void loadContainers();
  void loadImages();
  show('two');
  void loadContainers();
  asked[2]!.answer([container('of-two')]);
  asked[0]!.answer([container('of-one')]);
  asked[1]!.answer([{ Id: 'image-of-one' }]);
  await turn();
  assert.deepEqual(
    asked.map(({ machine }) => machine),
    ['one', 'one', 'two'],
  );
  assert.deepEqual(rows(), ['of-two']);
  assert.equal(useImages.getState().loaded, false);
});

test('at another address a machine is another computer, of which nothing is known', async () => {
  const at = (host: string) => ({ machines: [{ ...view('one'), remote: { host } }, view('two')] });
  useMachines.setState(at('box'));
  show('one');
  void loadContainers();
  asked.at(-1)!.answer([container('of-box')]);
  await turn();
  useMachines.setState(at('box'));
  show('one');
  assert.deepEqual(rows(), ['of-box']);
  useMachines.setState(at('other'));
  show('one');
  assert.deepEqual(rows(), []);
});

test('nor is its failure, nor an answer to a look that ended, also at the same machine', async () => {
  void loadContainers();
  void loadContainers();
  show('two');
  show('one');
  asked[0]!.refuse(new Error('too late'));
  asked[1]!.answer([container('old')]);
  await turn();
  assert.equal(useContainers.getState().error, undefined);
  assert.deepEqual(rows(), []);
});

test('rows, what is pending and questions do not go along', async () => {
  void loadContainers();
  asked[0]!.answer([container('web')]);
  await turn();
  setPending('web', 'stop');
  const agreed = ask({ title: { id: 'remove.title' }, body: [], confirm: { id: 'action.undo' } });
  show('two');
  assert.equal(await agreed, false);
  assert.equal(useQuestion.getState().question, undefined);
  assert.deepEqual(rows(), []);
  assert.equal(useContainers.getState().pending.size, 0);
});

test('a row that was to be read again is not read at the other machine', async () => {
  void loadContainers();
  asked[0]!.answer([container('web')]);
  await turn();
  applyContainerEvent({ Action: 'create', Actor: { ID: 'web' } });
  show('two');
  await new Promise((done) => setTimeout(done, 60));
  assert.equal(asked.length, 1);
});

test('a pull goes on at its machine, is seen there, and leads to nothing at the other', async () => {
  let isThere: boolean | undefined;
  void pull('alpine').then((there) => {
    isThere = there;
  });
  await turn();
  show('two');
  assert.deepEqual(usePulls.getState().pulls, {});
  pullLines[0]!({ id: 'layer', status: 'Pull complete' });
  await turn();
  assert.deepEqual(usePulls.getState().pulls, {});
  show('one');
  assert.equal(usePulls.getState().pulls.alpine?.layers[0]?.done, true);
  show('two');
  pullLines[1]!(undefined);
  await turn();
  show('one');
  assert.equal(usePulls.getState().pulls.alpine?.state, 'done');
  assert.equal(isThere, undefined);
});

test('the machine that is shown is watched, and a look at another begins its events anew', () => {
  const seen: boolean[] = [];
  onRunning((running) => seen.push(running));
  show('one');
  show('two');
  assert.deepEqual(seen.slice(-2), [false, true]);
  assert.equal(useMachine.getState().machine?.kind, 'remote');
  show('gone');
  assert.equal(useMachine.getState().gone, true);
  assert.equal(seen.at(-1), false);
});
