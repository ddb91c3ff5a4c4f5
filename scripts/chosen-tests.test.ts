import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, setUpsFor } from './chosen-tests.ts';

const all = [
  'agent/entry/guest/apply-seed.test.ts',
  'agent/network/guest.linux.test.ts',
  'agent/e2e/user-session.desktop.test.ts',
  'electron/e2e/arm64.vm.test.ts',
  'electron/e2e/machine.vm.test.ts',
  'electron/e2e/qcow2.vm.test.ts',
  'electron/host/qemu/vm.test.ts',
  'electron/host/remote-host/login/login.linux.test.ts',
  'renderer/e2e/list.e2e.test.ts',
];

const cases: [string, string[]][] = [
  ['', ['vm-test', 'remote-bundle']],
  ['check', []],
  ['unit', []],
  ['check unit', []],
  ['linux', ['remote-bundle']],
  ['vm', ['vm-test']],
  ['guest', ['guest-test']],
  ['vm guest', ['vm-test', 'guest-test']],
  ['desktop', ['desktop-test']],
  ['agent', []],
  ['agent/guest', []],
  ['agent/network/guest.linux.test.ts', []],
  ['electron/host/qemu/vm.test.ts', []],
  ['electron/host/remote-host', ['remote-bundle']],
  ['electron/e2e', ['vm-test']],
  ['electron/e2e/qcow2.vm.test.ts', ['qcow2-test']],
  ['electron/e2e/arm64.vm', ['arm64-test']],
  ['electron/e2e/machine.vm.test.ts', ['vm-test']],
  ['renderer/e2e', []],
];
for (const [words, wanted] of cases)
  test(`scripts/test ${words}: ${wanted.join(' ') || 'no more than any test'} is set up`, () => {
    const given = words.split(' ').filter(Boolean);
    assert.deepEqual(setUpsFor(choose(given, all), given).toSorted(), wanted.toSorted());
  });

test('groups and paths narrow each other; those of a desktop run only when asked for', () => {
  const none = { unit: [], linux: [], e2e: [], vm: [], desktop: [] };
  assert.deepEqual(choose(['linux', 'agent'], all), {
    files: { ...none, linux: ['agent/network/guest.linux.test.ts'] },
    checks: false,
    guest: false,
  });
  assert.deepEqual(choose(['agent/e2e'], all).files, none);
  assert.deepEqual(choose(['desktop', 'agent/e2e'], all).files, {
    ...none,
    desktop: ['agent/e2e/user-session.desktop.test.ts'],
  });
  const everything = choose([], all);
  assert.equal(Object.values(everything.files).flat().length, all.length - 1);
  assert.deepEqual([everything.checks, everything.guest], [true, false]);
});
