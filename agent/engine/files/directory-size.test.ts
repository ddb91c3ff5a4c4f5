import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { directoryBytes } from './directory-size.ts';

test('every file counts once, whatever the bytes of its name', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'corten-size-'));
  t.after(() => rmSync(root, { recursive: true }));
  const inLatin1 = (name: string) =>
    Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
  mkdirSync(inLatin1('f\u00f6lder'));
  writeFileSync(inLatin1('f\u00f6lder/n\u00e4me'), Buffer.alloc(1000));
  writeFileSync(join(root, 'plain'), Buffer.alloc(100));
  linkSync(join(root, 'plain'), join(root, 'again'));
  assert.equal(await directoryBytes(root), 1100);
  assert.equal(await directoryBytes(join(root, 'none')), 0);
});
