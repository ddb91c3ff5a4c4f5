import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BegunExec, ExecRequest } from '../../runtime/runtime.ts';
import { liveContainer } from '../containers/live-containers.ts';
import { FakeCgroups } from '../testdata/fake-cgroups.ts';
import { FakeProcess } from '../testdata/fake-runtime.ts';
import { ExecAhead } from './exec-ahead.ts';

/** What was begun, in order, and what became of it. */
function bench(test: TestContext) {
  test.mock.timers.enable({ apis: ['setTimeout'] });
  const directory = mkdtempSync(join(tmpdir(), 'corten-exec-ahead-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  const begun: { request: ExecRequest; exec: BegunExec; isGivenUp: boolean }[] = [];
  const reports: string[] = [];
  const ahead = new ExecAhead({
    runtime: {
      beginExec: (_, request) => {
        mkdirSync(request.runDirectory, { recursive: true });
        const exec: BegunExec = {
          finish: async () => new FakeProcess(7),
          giveUp: async () => {
            entry.isGivenUp = true;
          },
        };
        const entry = { request, exec, isGivenUp: false };
        begun.push(entry);
        return exec;
      },
    },
    report: (what) => reports.push(what),
  });
  const live = () =>
    liveContainer({
      process: new FakeProcess(5),
      cgroup: new FakeCgroups().create('c', {}),
      input: undefined,
    });
  const requestOf = (id: string) => (placement: ExecRequest['placement']) =>
    ({ placement, runDirectory: join(directory, id) }) as ExecRequest;
  return { ahead, begun, live, requestOf, reports, directory };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what was begun is there for the start of the same exec, once', (t) => {
  const { ahead, begun, live, requestOf } = bench(t);
  const container = live();
  ahead.begin('one', container, requestOf('one'));
  assert.equal(ahead.take('other', container), undefined);
  assert.equal(ahead.take('one', container), begun[0]?.exec);
  assert.equal(ahead.take('one', container), undefined);
  assert.equal(begun[0]?.isGivenUp, false);
});

test('one at a time', (t) => {
  const { ahead, begun, live, requestOf } = bench(t);
  const container = live();
  ahead.begin('one', container, requestOf('one'));
  ahead.begin('two', container, requestOf('two'));
  assert.equal(begun.length, 1);
  assert.equal(ahead.take('two', container), undefined);
});

test('what nobody starts is given up after a moment, and leaves no directory', async (t) => {
  const { ahead, begun, live, requestOf, directory } = bench(t);
  const container = live();
  ahead.begin('one', container, requestOf('one'));
  t.mock.timers.tick(299);
  assert.equal(begun[0]?.isGivenUp, false);
  t.mock.timers.tick(1);
  await turn();
  assert.equal(begun[0]?.isGivenUp, true);
  assert.equal(ahead.take('one', container), undefined);
  assert.ok(!existsSync(join(directory, 'one')));
});

test('a container that was started anew has no use for what was begun in the one before', async (t) => {
  const { ahead, begun, live, requestOf } = bench(t);
  ahead.begin('one', live(), requestOf('one'));
  assert.equal(ahead.take('one', live()), undefined);
  await turn();
  assert.equal(begun[0]?.isGivenUp, true);
});

test('what cannot be begun is left to the start, which says why', (t) => {
  const { ahead, begun, live, reports } = bench(t);
  ahead.begin('one', live(), () => {
    throw new Error('no such user');
  });
  assert.deepEqual([begun.length, reports.length], [0, 0]);
});

test('the end of the agent gives up what was begun', async (t) => {
  const { ahead, begun, live, requestOf } = bench(t);
  ahead.begin('one', live(), requestOf('one'));
  ahead.close();
  await turn();
  assert.equal(begun[0]?.isGivenUp, true);
});
