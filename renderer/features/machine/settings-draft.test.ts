import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineSettingsView } from '../../bridge/resources.ts';
import { changeOf, isInside, pauseChoices, planOf } from './settings-draft.ts';

const view: MachineSettingsView = {
  settings: {
    cpus: 2,
    memoryBytes: 1024,
    diskBytes: 4096,
    pauseAfterMs: 1_800_000,
    pauseOnBatteryAfterMs: null,
    proxiesInContainers: false,
  },
  bounds: {
    cpus: { min: 1, max: 4, step: 1 },
    memoryBytes: { min: 512, max: 2048, step: 256 },
    diskBytes: { min: 4096, max: 8192, step: 1024 },
  },
  afterRestart: [],
  needsRestart: ['cpus', 'memoryBytes'],
};

test('only what differs is changed, also to never', () => {
  const { settings } = view;
  assert.equal(changeOf(settings, { ...settings }), undefined);
  assert.deepEqual(changeOf(settings, { ...settings, cpus: 3, pauseAfterMs: null }), {
    cpus: 3,
    pauseAfterMs: null,
  });
});

test('the plan says what waits for a start', () => {
  const change = { diskBytes: 8192, cpus: 1 };
  assert.deepEqual(planOf(view, change, true), [
    { name: 'cpus', when: 'restart' },
    { name: 'diskBytes', when: 'now' },
  ]);
  assert.deepEqual(
    planOf(view, change, false).map(({ when }) => when),
    ['nextStart', 'nextStart'],
  );
});

test('both bounds may be chosen, and nothing beyond', () => {
  for (const [value, inside] of [
    [511, false],
    [512, true],
    [2048, true],
    [2049, false],
  ] as const)
    assert.equal(isInside(view, 'memoryBytes', value), inside);
});

test('a pause that nobody offers stays choosable, in its place', () => {
  assert.equal(pauseChoices(null).length, 7);
  const choices = pauseChoices(2000);
  assert.equal(choices[0], 2000);
  assert.equal(choices.at(-1), null);
});
