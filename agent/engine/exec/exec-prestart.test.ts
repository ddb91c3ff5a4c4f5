import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ExecRequest, PrestartedExec } from '../../runtime/runtime.ts';
import { newRunningContainer } from '../containers/running-containers.ts';
import { FakeCgroups } from '../testdata/fake-cgroups.ts';
import { FakeProcess } from '../testdata/fake-runtime.ts';
import { ExecPrestarter } from './exec-prestart.ts';

/** What was prestarted, in order, and what became of it. */
function bench(test: TestContext) {
  test.mock.timers.enable({ apis: ['setTimeout'] });
  const directory = mkdtempSync(join(tmpdir(), 'corten-exec-prestart-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  const prestarted: { request: ExecRequest; exec: PrestartedExec; isDiscarded: boolean }[] = [];
  const reports: string[] = [];
  const prestarter = new ExecPrestarter({
    runtime: {
      prestartExec: (_, request) => {
        mkdirSync(request.runDirectory, { recursive: true });
        const exec: PrestartedExec = {
          finish: async () => new FakeProcess(7),
          discard: async () => {
            entry.isDiscarded = true;
          },
        };
        const entry = { request, exec, isDiscarded: false };
        prestarted.push(entry);
        return exec;
      },
    },
    report: (what) => reports.push(what),
  });
  const live = () =>
    newRunningContainer({
      process: new FakeProcess(5),
      cgroup: new FakeCgroups().create('c', {}),
      input: undefined,
    });
  const requestOf = (id: string) => (placement: ExecRequest['placement']) =>
    ({ placement, runDirectory: join(directory, id) }) as ExecRequest;
  return { prestarter, prestarted, live, requestOf, reports, directory };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what was prestarted is there for the start of the same exec, once', (t) => {
  const { prestarter, prestarted, live, requestOf } = bench(t);
  const container = live();
  prestarter.begin('one', container, requestOf('one'));
  assert.equal(prestarter.take('other', container), undefined);
  assert.equal(prestarter.take('one', container), prestarted[0]?.exec);
  assert.equal(prestarter.take('one', container), undefined);
  assert.equal(prestarted[0]?.isDiscarded, false);
});

test('one at a time', (t) => {
  const { prestarter, prestarted, live, requestOf } = bench(t);
  const container = live();
  prestarter.begin('one', container, requestOf('one'));
  prestarter.begin('two', container, requestOf('two'));
  assert.equal(prestarted.length, 1);
  assert.equal(prestarter.take('two', container), undefined);
});

test('what nobody starts is given up after a moment, and leaves no directory', async (t) => {
  const { prestarter, prestarted, live, requestOf, directory } = bench(t);
  const container = live();
  prestarter.begin('one', container, requestOf('one'));
  t.mock.timers.tick(299);
  assert.equal(prestarted[0]?.isDiscarded, false);
  t.mock.timers.tick(1);
  await turn();
  assert.equal(prestarted[0]?.isDiscarded, true);
  assert.equal(prestarter.take('one', container), undefined);
  assert.ok(!existsSync(join(directory, 'one')));
});

test('a container that was started anew has no use for what was prestarted in the one before', async (t) => {
  const { prestarter, prestarted, live, requestOf } = bench(t);
  prestarter.begin('one', live(), requestOf('one'));
  assert.equal(prestarter.take('one', live()), undefined);
  await turn();
  assert.equal(prestarted[0]?.isDiscarded, true);
});

test('what cannot be prestarted is left to the start, which says why', (t) => {
  const { prestarter, prestarted, live, reports } = bench(t);
  prestarter.begin('one', live(), () => {
    throw new Error('no such user');
  });
  assert.deepEqual([prestarted.length, reports.length], [0, 0]);
});

test('the end of the agent gives up what was prestarted', async (t) => {
  const { prestarter, prestarted, live, requestOf } = bench(t);
  prestarter.begin('one', live(), requestOf('one'));
  prestarter.close();
  await turn();
  assert.equal(prestarted[0]?.isDiscarded, true);
});
