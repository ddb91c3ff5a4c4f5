import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { openFolderList } from './folder-list.ts';
import { mountPathOnLinux } from './share-folders.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'corten-list-')));
  file = join(directory, 'app/folders.json');
  for (const name of ['a/below', 'a/..below', 'b', 'a-beside'])
    mkdirSync(join(directory, name), { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const add = (path: string, readOnly = false) =>
  openFolderList(file).add({ path: join(directory, path), readOnly });

test("a person's own folder is shared until they choose", () => {
  const list = openFolderList(file);
  assert.deepEqual(list.all(), [{ path: homedir(), readOnly: false }]);
  list.remove(homedir());
  assert.deepEqual(openFolderList(file).all(), []);
});

test('folders are kept, with how they are shared, and told of at once', () => {
  const list = openFolderList(file);
  list.remove(homedir());
  let changes = 0;
  const stop = list.onChange(() => changes++);
  list.add({ path: join(directory, 'a'), readOnly: true });
  stop();
  list.add({ path: join(directory, 'a-beside'), readOnly: false });
  assert.equal(changes, 1);
  assert.deepEqual(openFolderList(file).all(), [
    { path: join(directory, 'a'), readOnly: true },
    { path: join(directory, 'a-beside'), readOnly: false },
  ]);
});

test('what cannot be shared is refused with the reason', () => {
  openFolderList(file).remove(homedir());
  add('a');
  writeFileSync(join(directory, 'file'), '');
  assert.throws(() => add('a/below'), /is shared already, with .*\/a\./);
  assert.throws(() => add('a/..below'), /is shared already, with .*\/a\./);
  assert.throws(() => add('.'), /contains .*\/a, which is shared/);
  assert.throws(() => add('none'), /there is no such folder/);
  assert.throws(() => add('file'), /is no folder/);
  assert.throws(() => openFolderList(file).add({ path: 'b', readOnly: false }), /no full path/);
  assert.throws(() => openFolderList(file).add({ path: '/', readOnly: false }), /All of \/ cannot/);
});

test('a list that cannot be read shares nothing and says so', () => {
  mkdirSync(join(directory, 'app'));
  writeFileSync(file, '{"folders": [');
  const list = openFolderList(file);
  assert.deepEqual(list.all(), []);
  assert.match(list.notices().join(), /could not be read: .*Nothing is shared/);
  assert.equal(readFileSync(file, 'utf8'), '{"folders": [');
});

test('a path of Windows has its drive as first folder', () => {
  assert.equal(mountPathOnLinux('C:\\Users\\me'), '/c/Users/me');
  assert.equal(mountPathOnLinux('D:\\'), '/d');
  assert.equal(mountPathOnLinux('/home/me'), '/home/me');
});
