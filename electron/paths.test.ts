import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultMachine, isMachineChoice } from './paths.ts';

test('each system has its machine', () => {
  assert.equal(defaultMachine('win32', 'x64'), 'wsl2');
  assert.equal(defaultMachine('darwin', 'arm64'), 'apple');
  assert.equal(defaultMachine('darwin', 'x64'), 'qemu');
  assert.equal(defaultMachine('linux', 'x64'), 'native');
});

test('a word that is no machine', () => {
  assert.equal(isMachineChoice('apple'), true);
  assert.equal(isMachineChoice('vmware'), false);
  assert.equal(isMachineChoice(undefined), false);
});
