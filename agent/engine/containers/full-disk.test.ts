import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CortenError } from '../../errors.ts';
import { containersDirectory, type EnginePaths, layersDirectory } from '../paths.ts';
import { explainFullDisk } from './full-disk.ts';

function roomyPaths(t: TestContext): EnginePaths {
  const root = mkdtempSync(join(tmpdir(), 'corten-full-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(layersDirectory({ root, run: root }));
  return { root, run: root };
}

const failure = (code: string, path: string) => Object.assign(new Error(code), { code, path });

test('full disk: a layer that had no free space is named, though it has some again', (t) => {
  const paths = roomyPaths(t);
  for (const error of [
    failure('ENOSPC', join(layersDirectory(paths), 'abc/work/probe')),
    failure('EDQUOT', join(containersDirectory(paths), 'abc/disk/work/probe')),
  ]) {
    const explained = explainFullDisk(error, 'web cannot start', paths);
    assert.ok(explained instanceof CortenError);
    assert.equal(explained.cause, error);
    assert.match(
      explained.message,
      /^no space left on device: its writable layer had no free space left, so web cannot start\. Try again/,
    );
  }
});

test('full disk: what else has no space left, and other failures, stay what they were', (t) => {
  const paths = roomyPaths(t);
  for (const error of [
    failure('ENOSPC', '/proc/sys/user/max_user_namespaces'),
    failure('ENOSPC', join(containersDirectory(paths), 'abc/files/hosts')),
    failure('EACCES', join(layersDirectory(paths), 'abc/work/probe')),
    new Error('no words'),
  ])
    assert.equal(explainFullDisk(error, 'web cannot start', paths), error);
});
