import assert from 'node:assert/strict';
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ChangeKind } from '../../../../agent/contract/share-wire.ts';
import { type Change, FolderWatch } from './folder-watch.ts';
import { openSharedFolder } from './shared-folder.ts';

/** `told`: the first changes that are. */
function watched(t: TestContext, root: string) {
  const told = Promise.withResolvers<readonly Change[]>();
  const watch = new FolderWatch({ folder: openSharedFolder(root), tell: told.resolve });
  t.after(() => {
    watch.close();
    rmSync(root, { recursive: true });
  });
  return { watch, told: told.promise };
}

test('a change that comes before the names are looked at is told', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'corten-watch-'));
  writeFileSync(join(root, 'file'), 'first');
  const { watch, told } = watched(t, root);
  watch.followFolder('');
  appendFileSync(join(root, 'file'), ' and more');
  assert.deepEqual(
    (await told).map(({ kind, path }) => [kind, path]),
    [[ChangeKind.modified, 'file']],
  );
});

test('a name that moves as soon as its folder is followed is told as moved', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'corten-watch-'));
  writeFileSync(join(root, 'old'), '');
  const { watch, told } = watched(t, root);
  watch.followFolder('');
  renameSync(join(root, 'old'), join(root, 'new'));
  assert.deepEqual(
    (await told).map(({ kind, path, newPath }) => [kind, path, newPath]),
    [[ChangeKind.renamed, 'old', 'new']],
  );
});

test('what changes in a folder that has just moved is told where it is now, before what came after', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'corten-watch-'));
  mkdirSync(join(root, 'one'));
  writeFileSync(join(root, 'one/file'), 'before');
  const { watch, told } = watched(t, root);
  for (const path of ['', 'one']) watch.followFolder(path);
  watch.isKnown('one/file', lstatSync(join(root, 'one/file'), { bigint: true }));
  renameSync(join(root, 'one'), join(root, 'two'));
  appendFileSync(join(root, 'two/file'), ' and after');
  mkdirSync(join(root, 'end'));
  assert.deepEqual(
    (await told).map(({ kind, path, newPath }) => [kind, path, newPath]),
    [
      [ChangeKind.renamed, 'one', 'two'],
      [ChangeKind.modified, 'two/file', undefined],
      [ChangeKind.created, 'end', undefined],
    ],
  );
});
