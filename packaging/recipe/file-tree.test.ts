import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, FileTree } from './file-tree.ts';

test('a package that still says /lib puts its files where /lib leads', () => {
  const tree = new FileTree();
  tree.link('lib', 'usr/lib');
  tree.file('lib/x/y', 'content');
  assert.equal(contentOf(tree, 'usr/lib/x/y').toString(), 'content');
  assert.deepEqual(
    tree.entries().map(([path]) => path),
    ['lib', 'usr', 'usr/lib', 'usr/lib/x', 'usr/lib/x/y'],
  );
});

test('two packages may share a directory, and nothing else', () => {
  const tree = new FileTree();
  tree.directory('etc');
  tree.directory('etc');
  tree.file('etc/x', '');
  assert.throws(() => tree.link('etc/x', 'y'), /etc\/x is a file and cannot become a link/);
  assert.throws(() => contentOf(tree, 'etc'), /no file etc/);
});
