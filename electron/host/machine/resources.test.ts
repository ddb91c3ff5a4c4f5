/** Settings and figures of a machine as the renderer asks for them, on a machine that is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineSettings, MachineSettingsView } from '../../contract/machine.ts';
import type { Machine, MachineControls } from './machine.ts';
import { changeSettings, compact, watchFigures } from './resources.ts';

const gibibyte = 1024 ** 3;

function fake(change: Partial<MachineControls> = {}): Machine {
  let settings: MachineSettings = {
    cpus: 2,
    memoryBytes: gibibyte,
    diskBytes: 8 * gibibyte,
    pauseAfterMs: null,
    pauseOnBatteryAfterMs: null,
    proxiesInContainers: false,
  };
  const bound = { min: 1, max: 64 * gibibyte, step: 1 };
  const view = (): MachineSettingsView => ({
    settings,
    bounds: { cpus: bound, memoryBytes: bound, diskBytes: bound },
    afterRestart: settings.cpus === 2 ? [] : ['cpus'],
    needsRestart: ['cpus'],
  });
  let asked = 0;
  const controls: MachineControls = {
    settings: view,
    async change(wanted) {
      settings = { ...settings, ...wanted };
      return view();
    },
    figures: async () => ({
      disk: { sizeBytes: 1, allocatedBytes: ++asked },
      snapshotBytes: 0,
    }),
    images: () => undefined,
    async *compact() {
      yield { phase: 'trimming', freedBytes: 0 };
      yield { phase: 'done', freedBytes: 5 };
    },
    ...change,
  };
  return { controls } as Machine;
}

test('a change tells what is in force, and what waits for the next start', async () => {
  const machine = fake();
  const { applied, afterRestart, view } = await changeSettings(machine, {
    cpus: 4,
    diskBytes: 9 * gibibyte,
    pauseAfterMs: null,
  });
  assert.deepEqual([applied, afterRestart], [['diskBytes'], ['cpus']]);
  assert.equal(view.settings.cpus, 4);
  const second = await changeSettings(machine, { pauseAfterMs: 60_000 });
  assert.deepEqual([second.applied, second.afterRestart], [['pauseAfterMs'], []]);
  assert.deepEqual(second.view.afterRestart, ['cpus']);
});

test('figures come again and again, until nobody looks', async () => {
  const abort = new AbortController();
  const seen: number[] = [];
  for await (const { disk } of watchFigures(fake(), abort.signal, 1)) {
    seen.push(disk.allocatedBytes);
    if (seen.length === 3) abort.abort();
  }
  assert.deepEqual(seen, [1, 2, 3]);
});

test('compacting tells how far it is', async () => {
  const seen = [];
  for await (const { freedBytes } of compact(fake(), new AbortController().signal))
    seen.push(freedBytes);
  assert.deepEqual(seen, [0, 5]);
});

test('a machine that the app does not make has nothing to set', async () => {
  const machine = { controls: undefined } as Machine;
  const refused = { name: 'NothingToSet' };
  await assert.rejects(changeSettings(machine, { cpus: 1 }), refused);
  await assert.rejects(compact(machine, new AbortController().signal).next(), refused);
  await assert.rejects(watchFigures(machine, new AbortController().signal).next(), refused);
});
