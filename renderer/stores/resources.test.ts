/** Settings, figures and compacting of the machine that is looked at, on a host that is none. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Bridge } from '../../electron/contract/bridge.ts';
import type { MachineView } from '../../electron/contract/machines.ts';
import { provideBridge } from '../bridge/bridge.ts';
import type { MachineFigures, MachineSettingsView } from '../bridge/resources.ts';
import { restartAt, resumeAt, show, stopAt, useMachines } from './machines.ts';
import { applySettings, compact, followFigures, loadSettings, useResources } from './resources.ts';
import { takeToasts } from './toasts.ts';

const bound = { min: 1, max: 4, step: 1 };
const view: MachineSettingsView = {
  settings: {
    cpus: 2,
    memoryBytes: 2,
    diskBytes: 2,
    pauseAfterMs: null,
    pauseOnBatteryAfterMs: null,
    proxiesInContainers: false,
  },
  bounds: { cpus: bound, memoryBytes: bound, diskBytes: bound },
  afterRestart: [],
  needsRestart: ['cpus'],
};

type Answer = (channel: string, request: Record<string, unknown>) => unknown;

let asked: [string, Record<string, unknown>][] = [];
let streams: { push(item: unknown): void; end(error?: Error): void; signal: AbortSignal }[] = [];

function answerWith(answer: Answer): void {
  provideBridge({
    async request(channel: string, request: Record<string, unknown>) {
      asked.push([channel, request]);
      return answer(channel, request);
    },
    async *stream(channel: string, request: Record<string, unknown>, signal: AbortSignal) {
      asked.push([channel, request]);
      let next = Promise.withResolvers<unknown>();
      const queue: unknown[] = [];
      let ended: { error?: Error } | undefined;
      const wake = () => {
        next.resolve(undefined);
        next = Promise.withResolvers();
      };
      streams.push({
        push: (item) => {
          queue.push(item);
          wake();
        },
        end: (error) => {
          ended = error === undefined ? {} : { error };
          wake();
        },
        signal,
      });
      signal.addEventListener('abort', wake);
      while (!signal.aborted) {
        if (queue.length > 0) yield queue.shift();
        else if (ended?.error) throw ended.error;
        else if (ended) return;
        else await next.promise;
      }
    },
  } as unknown as Bridge);
}

const machine = (id: string, status: MachineView['state']['status'] = 'running'): MachineView => ({
  id,
  name: id,
  kind: 'qemu',
  removable: false,
  state: { status, kind: 'qemu', stages: [] },
});

beforeEach(() => {
  asked = [];
  streams = [];
  takeToasts();
  answerWith(() => undefined);
  useMachines.setState({ machines: [machine('one'), machine('two')], shown: undefined });
  show('one');
});

test('settings are read, none where there is nothing to set, and a failure is told', async () => {
  await loadSettings();
  assert.equal(useResources.getState().view, 'none');
  answerWith(() => view);
  await loadSettings();
  assert.equal(useResources.getState().view, view);
  assert.deepEqual(asked.at(-1), ['machine.settings', { machine: 'one' }]);
  answerWith(() => {
    throw new Error('machine.json cannot be read');
  });
  await loadSettings();
  assert.equal(useResources.getState().error, 'machine.json cannot be read');
  show('two');
  assert.deepEqual(
    [useResources.getState().view, useResources.getState().error],
    [undefined, undefined],
  );
});

test('an applied change is shown; what waits is said by the page, what is refused by its reason', async () => {
  const waiting = { ...view, afterRestart: ['cpus'] as const };
  answerWith(() => ({ view: waiting, applied: [], afterRestart: ['cpus'] }));
  assert.equal(await applySettings({ cpus: 3 }), undefined);
  assert.equal(useResources.getState().view, waiting);
  assert.deepEqual(takeToasts(), []);
  answerWith(() => ({ view, applied: ['diskBytes'], afterRestart: [] }));
  await applySettings({ diskBytes: 3 });
  assert.equal(takeToasts()[0]?.title.id, 'toast.resourcesApplied');
  answerWith(() => {
    throw new Error('can only become larger');
  });
  assert.equal(await applySettings({ diskBytes: 1 }), 'can only become larger');
  assert.equal(useResources.getState().view, view);
});

test('figures come only while the window is seen, and tell processors in use', async () => {
  const page = new EventTarget() as EventTarget & { hidden: boolean };
  page.hidden = false;
  (globalThis as { document?: unknown }).document = page;
  const figures = (cpuMs: number): MachineFigures => ({
    cpuMs,
    disk: { sizeBytes: 2, allocatedBytes: 1 },
    snapshotBytes: 0,
  });
  const unfollow = followFigures();
  await turn();
  streams[0]!.push(figures(0));
  await turn();
  assert.equal(useResources.getState().figures?.cpuMs, 0);
  assert.equal(useResources.getState().cpusUsed, undefined);
  streams[0]!.push(figures(1_000_000));
  await turn();
  assert.ok((useResources.getState().cpusUsed ?? 0) > 1);
  streams[0]!.push(figures(5));
  await turn();
  assert.equal(useResources.getState().cpusUsed, undefined);
  page.hidden = true;
  page.dispatchEvent(new Event('visibilitychange'));
  assert.equal(streams[0]!.signal.aborted, true);
  unfollow();
  delete (globalThis as { document?: unknown }).document;
});

test('compacting runs once, and is neither told of nor shown at another machine', async () => {
  const done = compact();
  void compact();
  await turn();
  assert.equal(streams.length, 1);
  streams[0]!.push({ phase: 'trimming', freedBytes: 7 });
  await turn();
  assert.deepEqual(useResources.getState().compacting, { phase: 'trimming', freedBytes: 7 });
  show('two');
  await done;
  assert.equal(useResources.getState().compacting, undefined);
  assert.equal(streams[0]!.signal.aborted, true);
  const second = compact();
  await turn();
  streams[1]!.end(new Error('the guest refused'));
  await second;
  assert.equal(useResources.getState().compacting, undefined);
  assert.equal(takeToasts()[0]?.detail, 'the guest refused');
});

test('a stop shows that it is under way, hangs after a while, and is forced', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const stopped = Promise.withResolvers<void>();
  answerWith((_, { force }) => (force ? stopped.resolve() : stopped.promise));
  const stopping = () => useMachines.getState().stopping;
  const first = stopAt('one');
  void stopAt('one');
  assert.deepEqual(stopping(), { one: 'stopping' });
  context.mock.timers.tick(5_000);
  assert.deepEqual(stopping(), { one: 'hangs' });
  await stopAt('one', true);
  await first;
  assert.deepEqual(stopping(), {});
  assert.deepEqual(
    asked.map(([, request]) => request),
    [{ machine: 'one' }, { machine: 'one', force: true }],
  );
});

test('a restart is a stop and a start; a paused machine is resumed by a request', async () => {
  await restartAt('one');
  await resumeAt('one');
  assert.deepEqual(
    asked.map(([channel]) => channel),
    ['machine.stop', 'machine.start', 'engine.request'],
  );
});
