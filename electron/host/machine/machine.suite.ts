/**
 * What every kind of machine must do, whatever brings it up. A backend's test gives a factory; all
 * its waiting is for states, never for time.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { MachineState } from '../../contract/machines.ts';
import { openConnection } from '../ssh/connection.ts';
import type { Machine } from './machine.ts';
import { untilState } from './testdata/until-state.ts';

export interface MachineUnderTest {
  machine: Machine;
  /** Ends what runs the agent, from outside and without a word. */
  kill(): Promise<void>;
  /** What is still there of it: processes, sockets. Empty once it is stopped. */
  leftovers(): string[];
  /** The next start hangs in this stage until it is cancelled. */
  hangAt(stage: string): void;
  /** The next start fails in this stage. */
  failAt(stage: string): void;
  /** Starts are as usual again. */
  heal(): void;
  remove(): Promise<void>;
}

export interface MachineSuiteOptions {
  make(): Promise<MachineUnderTest>;
  /** The backend's own, in their order. */
  stages: readonly string[];
  hangsAt: readonly string[];
  failsAt: readonly string[];
  /** Where a loss shows, once the machine has run. */
  lostAt: string;
}

export function machineSuite(name: string, options: MachineSuiteOptions): void {
  describe(name, () => {
    let made: MachineUnderTest;
    before(async () => {
      made = await options.make();
    });
    after(() => made.remove());

    const ping = async () =>
      (await made.machine.engine().request({ method: 'GET', path: '/_ping' })).status;

    test('before its start it is stopped, and says so to whoever asks for its engine', () => {
      assert.equal(made.machine.state().status, 'stopped');
      assert.throws(() => made.machine.engine(), { name: 'MachineNotRunning' });
      assert.throws(() => made.machine.endpoint(), { name: 'MachineNotRunning' });
    });

    test('a start goes through its stages in order, and its engine answers', async () => {
      const all = [...options.stages, 'connect', 'engine'];
      const order: string[] = [];
      const watching = new AbortController();
      const watched = watch(made.machine, watching.signal, ({ stages }) => {
        for (const { id, status } of stages)
          if (status === 'done' && !order.includes(id)) order.push(id);
      });
      // Two that ask at once get the same start.
      const [state, same] = await Promise.all([made.machine.start(), made.machine.start()]);
      watching.abort();
      await watched;
      assert.equal(state.status, 'running', JSON.stringify(state));
      assert.equal(same, state);
      assert.deepEqual(
        state.stages.map(({ id, status }) => [id, status]),
        all.map((id) => [id, 'done']),
      );
      // A watcher that reads slowly may skip some, and never sees one before another.
      assert.deepEqual(
        order,
        all.filter((id) => order.includes(id)),
      );
      assert.equal(await ping(), 200);
      assert.equal(await made.machine.start(), state);
    });

    test('beside the app’s own connection there is room for others', async () => {
      const clients = await Promise.all(
        ['api', 'api', 'api'].map((login) => openConnection(made.machine.endpoint(), login)),
      );
      assert.equal(await ping(), 200);
      const closed = clients.map(
        (client) => new Promise<void>((resolve) => client.once('close', () => resolve())),
      );
      for (const client of clients) client.end();
      await Promise.all(closed);
      assert.equal(await ping(), 200);
    });

    test('a stop leaves nothing behind, and the next start brings it up again', async () => {
      assert.equal((await made.machine.stop()).status, 'stopped');
      assert.deepEqual(made.leftovers(), []);
      assert.throws(() => made.machine.engine(), { name: 'MachineNotRunning' });
      assert.equal((await made.machine.stop()).status, 'stopped');
      const state = await made.machine.start();
      assert.equal(state.status, 'running', JSON.stringify(state));
      assert.equal(await ping(), 200);
    });

    test('what ends by itself shows as lost, with cause and next step, and can start again', async () => {
      const lost = untilState(made.machine, ({ failure }) => failure?.stage === options.lostAt);
      await made.kill();
      const { status, failure } = await lost;
      assert.equal(status, 'failed');
      assert.equal(failure?.lost, true);
      assertSentences(failure);
      const state = await made.machine.start();
      assert.equal(state.status, 'running', JSON.stringify(state));
      assert.equal(await ping(), 200);
    });

    test('a forced stop leaves nothing behind either', async () => {
      assert.equal((await made.machine.stop({ force: true })).status, 'stopped');
      assert.deepEqual(made.leftovers(), []);
    });

    for (const stage of options.hangsAt)
      test(`cancelled at "${stage}", a start leaves nothing behind`, async () => {
        made.hangAt(stage);
        const reached = untilState(made.machine, ({ stages }) =>
          stages.some(({ id, status }) => id === stage && status === 'running'),
        );
        const starting = made.machine.start();
        await reached;
        assert.equal((await made.machine.stop()).status, 'stopped');
        assert.notEqual((await starting).status, 'running');
        assert.deepEqual(made.leftovers(), []);
        made.heal();
      });

    for (const stage of options.failsAt)
      test(`a failure at "${stage}" names stage, cause and next step, and leaves nothing behind`, async () => {
        made.failAt(stage);
        const { status, failure } = await made.machine.start();
        assert.equal(status, 'failed');
        assert.equal(failure?.stage, stage);
        assert.equal(failure?.lost, undefined);
        assertSentences(failure);
        assert.deepEqual(made.leftovers(), []);
        made.heal();
      });

    test('after all that it starts as ever', async () => {
      const state = await made.machine.start();
      assert.equal(state.status, 'running', JSON.stringify(state));
      assert.equal((await made.machine.stop()).status, 'stopped');
      assert.deepEqual(made.leftovers(), []);
    });
  });
}

function assertSentences(failure: MachineState['failure']): void {
  assert.match(failure?.cause ?? '', /^\S.*\S$/s);
  assert.match(failure?.nextStep ?? '', /^[A-Z].*[.!]$/s);
}

async function watch(
  machine: Machine,
  signal: AbortSignal,
  take: (state: MachineState) => void,
): Promise<void> {
  for await (const state of machine.watch(signal)) take(state);
}
