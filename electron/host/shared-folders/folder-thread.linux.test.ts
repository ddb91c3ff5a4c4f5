/** A disk that does not answer holds up its folder, and not the app. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type FolderOfAgents,
  folderOfAgents,
} from '../../../agent/share/testdata/folder-of-agents.ts';
import { openFolderThread } from './open-folder-thread.ts';

let disk: FolderOfAgents;
before(async () => {
  disk = await folderOfAgents({ patienceMs: 2_000 });
});
after(() => disk.close());

test('while a folder waits for its disk, the thread that asked goes on', async () => {
  await disk.stopHost();
  let turns = 0;
  const timer = setInterval(() => turns++, 10);
  await assert.rejects(openFolderThread({ name: 's', path: disk.guest, mountPath: '/s' }), /EIO/);
  clearInterval(timer);
  assert.ok(turns > 20, `it had ${turns} turns`);
});
