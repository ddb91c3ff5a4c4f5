import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FolderNames } from './folder-names.ts';

test('a name that was there once may be there again, in letters of either case', () => {
  const names = new FolderNames(['Makefile', 'src']);
  assert.deepEqual(
    ['makefile', 'Makefile', 'SRC', 'other', '.git'].map((name) => names.lacks(name)),
    [false, false, false, true, true],
  );
  names.add('other');
  assert.ok(!names.lacks('other'));
});

test('of what a disk may find by another spelling nothing is said', () => {
  const names = new FolderNames(['long name', 'file']);
  assert.ok(!names.lacks('other'));
  assert.ok(!new FolderNames().lacks('LONGNA~1'));
  const late = new FolderNames(['file']);
  late.add('\xc3\xa4');
  assert.ok(!late.lacks('other'));
});
