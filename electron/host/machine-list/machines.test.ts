import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineEntry, RemoteAddress } from '../../contract/machines.ts';
import { type BringUpContext, type MachineBackend, StageFailure } from '../machine/machine.ts';
import { Toggle } from '../machine/toggle.ts';
import { createMachines, type MachineList } from './machines.ts';

let directory: string;
let file: string;
let removed: unknown[];
let chosen: { portsHere: Toggle; foldersThere: Toggle };
let moves: RemoteAddress[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-machines-'));
  file = join(directory, 'config', 'machines.json');
  removed = [];
  moves = [];
  chosen = { portsHere: new Toggle(true), foldersThere: new Toggle(false) };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const own: MachineEntry[] = [{ id: 'local', name: 'This computer', kind: 'native' }];
const box = { name: ' Box ', kind: 'remote' as const, remote: { host: 'box', user: 'me' } };

/** Nothing to bring up: it fails with what it was told, so that states can be told apart. */
function backend(kind: MachineEntry['kind'], work?: (context: BringUpContext) => Promise<void>) {
  return {
    kind,
    stages: ['reach'],
    loginAdvice: '',
    bringUp: (context) =>
      context.stage('reach', async () => {
        await work?.(context);
        throw new StageFailure(`no ${kind}`, 'Mend it.');
      }),
    installation: {
      footprint: async () => ({ items: [], runningContainers: 0 }),
      remove: async (what) => void removed.push(what),
    },
  } satisfies MachineBackend;
}

function open(work?: (context: BringUpContext) => Promise<void>): MachineList {
  return createMachines({
    own,
    factories: {
      native: () => ({ backend: backend('native') }),
      remote: () => ({
        backend: backend('remote', work),
        choices: chosen,
        moveTo: async (address) => void moves.push(address),
      }),
    },
    file,
  });
}

const names = (list: MachineList) => list.list().machines.map(({ name }) => name);

test('machines that were added are there at the next start, after this computer', () => {
  const { id } = open().add(box);
  const again = open();
  assert.deepEqual(names(again), ['This computer', 'Box']);
  assert.deepEqual(again.entry(id), { ...box, name: 'Box', id });
  again.rename(id, 'Server');
  assert.deepEqual(names(open()), ['This computer', 'Server']);
  assert.deepEqual(open().list().kinds, ['remote']);
});

test('a broken list is kept aside and told of, and a new one begins', () => {
  open().add(box);
  const text = readFileSync(file, 'utf8');
  for (const broken of [
    '{',
    '{"version":9}',
    text.replace('"host"', '"hots"'),
    text.slice(0, 40),
  ]) {
    writeFileSync(file, broken);
    const list = open();
    assert.deepEqual(names(list), ['This computer']);
    assert.match(list.list().notices[0] ?? '', /was broken \(.*\) and is kept as .*broken-/);
    const aside = readdirSync(join(directory, 'config')).filter((name) => name.includes('broken'));
    assert.equal(readFileSync(join(directory, 'config', aside.at(-1)!), 'utf8'), broken);
    assert.equal(existsSync(file), false);
  }
});

test('machines of a kind that this computer does not make stay in the file', () => {
  open().add(box);
  const document = JSON.parse(readFileSync(file, 'utf8'));
  document.machines.push({ id: 'mac', name: 'Mac', kind: 'apple' });
  writeFileSync(file, JSON.stringify(document));
  const list = open();
  list.add({ ...box, name: 'Third' });
  assert.deepEqual(names(list), ['This computer', 'Box', 'Third']);
  assert.match(readFileSync(file, 'utf8'), /"apple"/);
});

test('what was up is started with the app, and what was stopped is not', async () => {
  const list = open();
  const { id } = list.add(box);
  await list.start(id);
  assert.equal(open().entry(id).startsWithApp, true);
  await list.stopAll();
  assert.equal(open().entry(id).startsWithApp, true);
  await list.stop(id);
  assert.equal(open().entry(id).startsWithApp, undefined);
});

test('what the page asks for is checked', () => {
  const list = open();
  const add = (part: object) => () => list.add({ ...box, ...part });
  assert.throws(add({ name: ' ' }), /1 to 60 characters/);
  assert.throws(add({ kind: 'wsl2' }), /cannot be made on this computer/);
  assert.throws(add({ remote: { host: '-oProxyCommand=evil' } }), /no host name/);
  assert.throws(add({ remote: { host: 'a b' } }), /no host name/);
  assert.throws(add({ remote: { host: 'a', port: 0 } }), /1 to 65535/);
  assert.throws(add({ remote: { host: 'a', user: 'a;b' } }), /no user name/);
  assert.throws(() => list.get('nobody'), { name: 'NoSuchMachine' });
});

test('what is chosen for a machine is in force at once, and at the next start', () => {
  const list = open();
  const { id } = list.add(box);
  assert.deepEqual(list.list().machines[1]?.choices, { portsHere: true, foldersThere: false });
  list.choose(id, { portsHere: false });
  assert.deepEqual([chosen.portsHere.isOn, chosen.foldersThere.isOn], [false, false]);
  list.choose(id, { foldersThere: true });
  assert.equal(chosen.foldersThere.isOn, true);
  assert.deepEqual(open().entry(id).choices, { portsHere: false, foldersThere: true });
  assert.throws(() => list.choose('local', { portsHere: true }), /nothing to turn on or off/);
  // A word of a later app is no choice, and shares nothing.
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/: (true|false)/g, ': "maybe"'));
  assert.deepEqual(open().entry(id).choices, { portsHere: true, foldersThere: false });
});

test('another address is written down, and a machine that was up is stopped before it has it', async () => {
  const list = open();
  const { id } = list.add(box);
  await list.start(id);
  const next = { host: 'other', port: 2222, user: undefined, keyFile: undefined };
  await list.moveTo(id, { host: 'other', port: 2222 });
  assert.deepEqual(moves, [next]);
  assert.equal(list.get(id).state().status, 'stopped');
  assert.deepEqual(open().entry(id).remote, { host: 'other', port: 2222 });
  // It is still one that is started with the app.
  assert.equal(open().entry(id).startsWithApp, true);
  // The same once more is no move, and ends no connection.
  await list.start(id);
  await list.moveTo(id, { host: 'other', port: 2222 });
  assert.equal(list.get(id).state().status, 'failed');
  await assert.rejects(list.moveTo(id, { host: 'a b' }), /no host name/);
  await assert.rejects(
    list.moveTo('local', { host: 'other' }),
    /only.* another computer has an address/i,
  );
  assert.deepEqual(moves, [next]);
  assert.equal(open().entry(id).remote?.host, 'other');
});

test('all are watched at once, each with its own state', async () => {
  const list = open();
  const { id } = list.add(box);
  const abort = new AbortController();
  const watching = (async () => {
    for await (const { machines } of list.watch(abort.signal)) {
      const states = machines.map(({ state }) => [state.status, state.failure?.cause]);
      if (states.every(([status]) => status === 'failed')) return states;
    }
  })();
  void list.start('local');
  void list.start(id);
  assert.deepEqual(await watching, [
    ['failed', 'no native'],
    ['failed', 'no remote'],
  ]);
  abort.abort();
});

test('a question is asked in the state, and answered or cancelled', async () => {
  const answers: (string | undefined)[] = [];
  const list = open(async ({ ask }) => {
    for (const wrong of [false, true])
      answers.push(await ask({ kind: 'password', user: 'me', host: 'box', wrong }));
  });
  const { id } = list.add(box);
  const started = list.start(id);
  const question = () => list.get(id).state().question;
  while (!question()) await new Promise((done) => setImmediate(done));
  assert.equal(list.get(id).state().status, 'starting');
  const first = question()!.id;
  list.get(id).answer(first, 'secret');
  while (question()?.id === first || !question()) await new Promise((done) => setImmediate(done));
  // An answer that comes twice is not the next question's.
  list.get(id).answer(first, 'secret');
  await list.stop(id);
  assert.equal(question(), undefined);
  assert.deepEqual(answers, ['secret', undefined]);
  assert.equal((await started).status, 'failed');
  assert.doesNotMatch(readFileSync(file, 'utf8'), /secret/);
});

test('removing takes away what is there, or only the line in the list', async () => {
  const list = open();
  const [first, second] = [list.add(box), list.add(box)];
  await list.remove(first.id, { state: true });
  await list.remove(second.id, { state: false, forgetOnly: true });
  assert.deepEqual(removed, [{ state: true }]);
  assert.deepEqual(names(open()), ['This computer']);
  await assert.rejects(list.remove('local', { state: false }), /cannot be removed/);
});

test('the app ends only when each machine has, also when one cannot be stopped', async () => {
  const slow = Promise.withResolvers<void>();
  const ends: Record<string, () => Promise<void>> = {
    stuck: () => Promise.reject(new Error('wsl.exe does not answer')),
    slow: () => slow.promise,
  };
  const list = createMachines({
    own: Object.keys(ends).map((id) => ({ id, name: id, kind: 'native' as const })),
    factories: {
      native: ({ id }) => ({
        backend: {
          kind: 'native',
          stages: ['reach'],
          loginAdvice: '',
          bringUp: async ({ stage }) => {
            await stage('reach', async () => {});
            return {
              endpoint: {
                dial: () => Promise.reject(new Error('nobody there')),
                hostPublicKey: '',
                clientPrivateKey: '',
              },
              lost: new Promise(() => {}),
              stop: () => ends[id]!(),
            };
          },
        } satisfies MachineBackend,
      }),
    },
    file,
  });
  for (const id of Object.keys(ends)) assert.equal((await list.start(id)).status, 'failed');
  let isOver = false;
  const over = list.stopAll().finally(() => {
    isOver = true;
  });
  const rejected = assert.rejects(over, /wsl\.exe does not answer/);
  await sleep(20);
  assert.equal(isOver, false);
  slow.resolve();
  await rejected;
});
