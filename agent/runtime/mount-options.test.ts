import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountAttribute, Propagation } from '../kernel/mount.ts';
import { parseMountOptions } from './mount-options.ts';

test('flags become attributes, the rest is the file system’s', () => {
  const parsed = parseMountOptions([
    'nosuid',
    'noexec',
    'ro',
    'size=64m',
    'newinstance',
    'mode=755',
  ]);
  assert.equal(parsed.set, MountAttribute.noSuid | MountAttribute.noExec | MountAttribute.readOnly);
  assert.deepEqual(parsed.filesystem, [['size', '64m'], ['newinstance'], ['mode', '755']]);
});

test('the last of two opposites wins', () => {
  assert.equal(parseMountOptions(['ro', 'rw']).set, 0);
  assert.equal(parseMountOptions(['ro', 'rw']).clear, MountAttribute.readOnly);
  assert.equal(parseMountOptions(['rw', 'ro']).set, MountAttribute.readOnly);
  assert.equal(parseMountOptions(['rw', 'ro']).clear, 0);
});

test('one way to keep access times replaces another', () => {
  const parsed = parseMountOptions(['noatime', 'strictatime']);
  assert.equal(parsed.set & MountAttribute.atime, MountAttribute.strictAtime);
});

test('recursive flags are kept apart from those of the mount itself', () => {
  const parsed = parseMountOptions(['rbind', 'rro', 'rnosuid']);
  assert.equal(parsed.bind, 'recursive');
  assert.equal(parsed.set, 0);
  assert.equal(parsed.recursiveSet, MountAttribute.readOnly | MountAttribute.noSuid);
});

test('propagation', () => {
  assert.deepEqual(parseMountOptions(['rslave']).propagation, {
    type: Propagation.slave,
    recursive: true,
  });
  assert.deepEqual(parseMountOptions(['shared']).propagation, {
    type: Propagation.shared,
    recursive: false,
  });
  assert.equal(parseMountOptions(['bind']).propagation, undefined);
});

test('an option with several equals signs keeps them', () => {
  assert.deepEqual(parseMountOptions(['context=a=b']).filesystem, [['context', 'a=b']]);
});
