import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choose, complaintOf, readWords, setUpsFor } from './chosen-tests.ts';

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
    const request = readWords(words.split(' ').filter(Boolean));
    assert.deepEqual(setUpsFor(choose(request, all), request).toSorted(), wanted.toSorted());
  });

test('groups and paths narrow each other; those of a desktop run only when asked for', () => {
  const chosen = (...words: string[]) => choose(readWords(words), all);
  const none = { unit: [], linux: [], e2e: [], vm: [], desktop: [] };
  assert.deepEqual(chosen('linux', 'agent'), {
    files: { ...none, linux: ['agent/network/guest.linux.test.ts'] },
    checks: false,
    guest: false,
  });
  assert.deepEqual(chosen('agent/e2e').files, none);
  assert.deepEqual(chosen('desktop', 'agent/e2e').files, {
    ...none,
    desktop: ['agent/e2e/user-session.desktop.test.ts'],
  });
  const everything = chosen();
  assert.equal(Object.values(everything.files).flat().length, all.length - 1);
  assert.deepEqual([everything.checks, everything.guest], [true, false]);
  assert.equal(chosen('--changed').checks, false);
  assert.equal(chosen('check', '--changed').checks, true);
});

const complaints: [string, RegExp | undefined][] = [
  ['', undefined],
  ['agent/network', undefined],
  ['linux agent/network/', undefined],
  ['agent/net', undefined],
  ['desktop agent/e2e', undefined],
  ['agent/network agent/netwrok', /^no test file is at 'agent\/netwrok', or begins with it$/],
  ['agent/net/', /^no test file is at 'agent\/net\/'/],
  ['unit agent/network', /^the tests at 'agent\/network' are of the group linux, not unit$/],
  ['agent/e2e', /^the tests at 'agent\/e2e' are of the group desktop, which runs only where/],
];
for (const [words, complaint] of complaints)
  test(`scripts/test ${words}: ${complaint === undefined ? 'is fine' : 'is refused'}`, () => {
    const said = complaintOf(readWords(words.split(' ').filter(Boolean)), all);
    if (complaint === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', complaint);
  });

test('options stand before or after what is chosen', () => {
  const wanted = { groups: ['unit'], paths: ['agent'], isChanged: true, timings: 'a.json' };
  assert.deepEqual(readWords(['--timings', 'a.json', 'unit', '--changed', 'agent']), wanted);
  assert.deepEqual(readWords(['unit', 'agent', '--changed', '--timings=a.json']), wanted);
});
