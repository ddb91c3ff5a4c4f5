import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultMachine, isMachineChoice } from './places.ts';

test('each system has its machine', () => {
  assert.equal(defaultMachine('win32', undefined, 'x64'), 'wsl2');
  assert.equal(defaultMachine('darwin', 501, 'arm64'), 'apple');
  assert.equal(defaultMachine('darwin', 501, 'x64'), 'qemu');
  assert.equal(defaultMachine('linux', 0, 'x64'), 'native');
  assert.equal(defaultMachine('linux', 1000, 'x64'), 'qemu');
});

test('a word that is no machine', () => {
  assert.equal(isMachineChoice('apple'), true);
  assert.equal(isMachineChoice('vmware'), false);
  assert.equal(isMachineChoice(undefined), false);
});
