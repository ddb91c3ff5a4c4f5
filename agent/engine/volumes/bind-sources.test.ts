import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { MountSettings, MountView } from '../../contract/container.ts';
import {
  awaitHostFolders,
  noHostFolders,
  prepareBindSources,
  requireHostFolders,
} from './bind-sources.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-binds-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const bind = (source: string, createSource = true): MountSettings => ({
  type: 'bind',
  source,
  target: '/x',
  readOnly: false,
  propagation: undefined,
  createSource,
  recursive: true,
});
const shared = (path: string) => (path.startsWith(`${directory}/`) ? directory : undefined);

test('a source below a shared folder is made, or refused when it may not be', async () => {
  const folders = { mountOf: shared, areNeeded: true };
  await prepareBindSources(folders, [bind(join(directory, 'a/b'))]);
  assert.ok(existsSync(join(directory, 'a/b')));
  await assert.rejects(
    prepareBindSources(folders, [bind(join(directory, 'none'), false)]),
    /bind source path does not exist: .*none/,
  );
});

test('a folder that is not shared is named, with where to share it', async () => {
  await assert.rejects(
    prepareBindSources({ mountOf: shared, areNeeded: true }, [bind('/home/of-nobody/code')]),
    /\/home\/of-nobody\/code is not shared with the machine\. .* Machine > Folders/,
  );
});

test('what the machine has itself needs no sharing, and a machine of its own no folders at all', async () => {
  await prepareBindSources({ mountOf: shared, areNeeded: true }, [bind('/proc/self')]);
  await prepareBindSources(noHostFolders, [bind('/home/of-nobody/code')]);
});

test('a start waits until the host has brought the folder, and refuses in the end', async () => {
  let asked = 0;
  const later = { mountOf: () => (++asked < 3 ? undefined : '/code'), areNeeded: true };
  const view: MountView = {
    type: 'bind',
    source: '/code',
    target: '/s',
    readOnly: false,
    propagation: '',
    isOfHost: true,
  };
  await awaitHostFolders(later, [view]);
  assert.equal(asked, 3);
  const never = { mountOf: () => undefined, areNeeded: true };
  await awaitHostFolders(never, [view], 0);
  assert.throws(
    () => requireHostFolders(never, [view]),
    /code is not shared with the machine\. Share/,
  );
  requireHostFolders(never, [{ ...view, isOfHost: undefined }]);
});
