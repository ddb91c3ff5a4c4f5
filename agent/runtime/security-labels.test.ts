import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSelinux, labelSteps } from './security-labels.ts';
import { testProcess } from './testdata/test-container.ts';

const kernel = (has: boolean) => ({ hasAppArmor: () => has, hasSelinux: () => has });
const labelled = testProcess(['true'], {
  apparmorProfile: 'strict',
  selinuxLabel: 'system_u:system_r:container_t:s0',
});

test('the kernel is told of both before the program is executed', () => {
  assert.deepEqual(labelSteps(labelled, kernel(true)), [
    { do: 'procWrite', path: 'self/attr/apparmor/exec', text: 'exec strict' },
    { do: 'procWrite', path: 'self/attr/exec', text: 'system_u:system_r:container_t:s0' },
  ]);
  assert.deepEqual(labelSteps(testProcess(['true']), kernel(true)), []);
});

test('what the kernel has not is an error, but being unconfined where nothing confines', () => {
  const { apparmorProfile, selinuxLabel } = labelled;
  const of = (changes: object) => () => labelSteps(testProcess(['true'], changes), kernel(false));
  assert.throws(of({ apparmorProfile }), /no AppArmor; remove process.apparmorProfile/);
  assert.throws(of({ selinuxLabel }), /no SELinux; remove process.selinuxLabel/);
  assert.deepEqual(of({ apparmorProfile: 'unconfined' })(), []);
  assert.throws(() => checkSelinux('linux.mountLabel', () => false), /remove linux.mountLabel/);
});
