import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canonicalCapability,
  capabilityNames,
  capabilityNumber,
  defaultCapabilities,
  namesInMask,
  resolveCapabilities,
} from './capabilities.ts';

test('numbers are the kernel header’s', () => {
  assert.equal(capabilityNumber('CAP_CHOWN'), 0);
  assert.equal(capabilityNumber('CAP_SYS_ADMIN'), 21);
  assert.equal(capabilityNumber('CAP_MKNOD'), 27);
  assert.equal(capabilityNumber('CAP_CHECKPOINT_RESTORE'), 40);
});

test('an unknown name is an error that names it', () => {
  for (const name of ['CAP_NOPE', 'NET_ADMIN', ''])
    assert.throws(() => capabilityNumber(name), { kind: 'invalid' });
  assert.throws(() => resolveCapabilities(['nope'], [], false), /unknown capability "nope"/);
  assert.throws(() => resolveCapabilities([], ['nope'], false), /unknown capability "nope"/);
});

test('names are taken with and without the prefix, in any case', () => {
  assert.equal(canonicalCapability('net_admin'), 'CAP_NET_ADMIN');
  assert.equal(canonicalCapability('cap_net_admin'), 'CAP_NET_ADMIN');
});

test('the default is fourteen names', () => {
  assert.equal(defaultCapabilities.length, 14);
  assert.deepEqual(resolveCapabilities([], [], false), [...defaultCapabilities]);
});

test('add and drop change the default', () => {
  const chosen = resolveCapabilities(['SYS_PTRACE'], ['MKNOD'], false);
  assert.ok(chosen.includes('CAP_SYS_PTRACE'));
  assert.ok(!chosen.includes('CAP_MKNOD'));
  assert.equal(chosen.length, 14);
});

test('ALL may be added or dropped', () => {
  assert.deepEqual(resolveCapabilities([], ['ALL'], false), []);
  assert.deepEqual(resolveCapabilities(['CHOWN'], ['all'], false), ['CAP_CHOWN']);
  assert.equal(resolveCapabilities(['ALL'], [], false).length, capabilityNames.length);
  const allButOne = resolveCapabilities(['ALL'], ['SYS_ADMIN'], false);
  assert.ok(!allButOne.includes('CAP_SYS_ADMIN'));
  assert.equal(allButOne.length, capabilityNames.length - 1);
});

test('privileged has every capability', () => {
  assert.deepEqual(resolveCapabilities([], ['ALL'], true), [...capabilityNames]);
});

test('names in a mask of the kernel, also those that are younger than our list', () => {
  assert.deepEqual(namesInMask(0n), []);
  assert.deepEqual(namesInMask(0x21n), ['CAP_CHOWN', 'CAP_KILL']);
  assert.deepEqual(namesInMask(1n << 40n), ['CAP_CHECKPOINT_RESTORE']);
  assert.deepEqual(namesInMask(1n << 63n), ['CAP_63']);
  assert.deepEqual(namesInMask(0x1ffffffffffn), [...capabilityNames]);
});
