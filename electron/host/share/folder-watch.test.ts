import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ChangeKind } from '../../../agent/contract/share-wire.ts';
import { type Change, FolderWatch } from './folder-watch.ts';
import { openSharedFolder } from './shared-folder.ts';

test('a change that comes before the names are looked at is told', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'corten-watch-'));
  writeFileSync(join(root, 'file'), 'first');
  const told = Promise.withResolvers<readonly Change[]>();
  const watch = new FolderWatch({ folder: openSharedFolder(root), tell: told.resolve });
  t.after(() => {
    watch.close();
    rmSync(root, { recursive: true });
  });
  watch.followFolder('');
  appendFileSync(join(root, 'file'), ' and more');
  assert.deepEqual(
    (await told.promise).map(({ kind, path }) => [kind, path]),
    [[ChangeKind.modified, 'file']],
  );
});
