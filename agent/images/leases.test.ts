import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Leases } from './leases.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-leases-'));
after(() => rmSync(directory, { recursive: true }));

test('what is held is free again once all who held it let go', () => {
  const leases = new Leases(join(directory, 'none.json'));
  const [first, second] = [leases.hold(['a', 'b']), leases.hold(['a'])];
  assert.deepEqual([leases.sharedBy('a'), leases.sharedBy('b')], [true, false]);
  first();
  first();
  assert.deepEqual([leases.has('a'), leases.has('b')], [true, false]);
  second();
  assert.equal(leases.has('a'), false);
});

test('what an owner keeps outlives a restart, until the owner keeps something else', async () => {
  const path = join(directory, 'kept.json');
  const leases = new Leases(path);
  await Promise.all([leases.keep('builder', ['a']), leases.keep('builder', ['a', 'b'])]);
  await leases.keep('other', ['c']);
  const again = new Leases(path);
  assert.deepEqual(
    ['a', 'b', 'c'].map((digest) => again.has(digest)),
    [true, true, true],
  );
  await again.keep('builder', ['b']);
  assert.deepEqual(
    ['a', 'b', 'c'].map((digest) => again.has(digest)),
    [false, true, true],
  );
});
