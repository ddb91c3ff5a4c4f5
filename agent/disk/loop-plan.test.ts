import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageBytes, planImage } from './loop-plan.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;
const measured = { growsOnline: true, stateBytes: 1024 * gib };
const roomy = { growsOnline: false, stateBytes: 100 * gib };

test('made to measure, the image is little more than the limit', () => {
  for (const maxBytes of [4 * mib, 64 * mib, gib, 100 * gib]) {
    const { bytes } = planImage({ maxBytes }, measured);
    assert.ok(bytes > maxBytes && bytes < maxBytes * 1.06 + 24 * mib, `${maxBytes}: ${bytes}`);
    assert.equal(bytes % 4096, 0);
    assert.equal(bytes, imageBytes(maxBytes, measured));
  }
});

test('with room to grow, it is as large as the machine, up to a bound, and never too small', () => {
  assert.equal(planImage({ maxBytes: gib }, roomy).bytes, 100 * gib);
  assert.equal(planImage({ maxBytes: gib }, { ...roomy, stateBytes: 9999 * gib }).bytes, 128 * gib);
  assert.ok(planImage({ maxBytes: 500 * gib }, roomy).bytes > 500 * gib);
});

test('with an inode limit, groups are few enough for it to be near what was asked', () => {
  const { bytes, inodes } = planImage({ maxBytes: 64 * mib, maxInodes: 1000 }, roomy);
  const groups = Math.ceil(bytes / (128 * mib));
  assert.ok(groups * 16 <= 250, `${groups} groups`);
  assert.ok(inodes !== undefined && inodes >= 1000 && inodes < 1100);
  assert.throws(() => planImage({ maxInodes: 1000 }, roomy), { kind: 'invalid' });
});

test('one form serves many limits where there is room, so that spares do', () => {
  const form = (maxBytes: number) => planImage({ maxBytes }, roomy);
  assert.deepEqual(form(2 * gib), form(10 * gib));
});
