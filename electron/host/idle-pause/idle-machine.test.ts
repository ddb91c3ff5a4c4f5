/** A machine that nobody uses is paused, although the app itself keeps retrying services on it. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createForwarding } from '../forwarding/forwarding.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { standIn } from '../qemu/testdata/stand-in.ts';
import { openFolderList } from '../shared-folders/folder-list.ts';
import { createFolderSharing } from '../shared-folders/share-folders.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-idle-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('services and folders that the machine refuses are tried again, and it is paused all the same', async () => {
  const shared = join(directory, 'shared');
  mkdirSync(shared);
  const listFile = join(directory, 'folders.json');
  writeFileSync(listFile, JSON.stringify({ folders: [{ path: shared, readOnly: false }] }));
  const sharing = createFolderSharing({ list: openFolderList(listFile) });
  const { companion } = createForwarding({
    apiSocketPath: join(directory, 'docker.sock'),
    contextName: 'corten-idle-test',
    isGuest: true,
    environment: { DOCKER_CONFIG: join(directory, 'docker') },
  });
  assert.ok(companion);
  const made = standIn({}, { companions: [sharing.companion, companion] });
  try {
    made.behave({ refusesServices: true });
    assert.equal((await made.machine.start()).status, 'running');
    assert.match(sharing.view().folders[0]?.problem ?? '', /tried again/);
    await made.machine.controls!.change({ pauseAfterMs: 1000 });
    await untilState(made.machine, ({ status }) => status === 'paused');
    // A request resumes it, and it is paused again.
    const { status } = await made.machine.engine().request({ method: 'GET', path: '/_ping' });
    assert.equal(status, 200);
    await untilState(made.machine, ({ status }) => status === 'paused');
  } finally {
    await made.remove();
  }
});

test('the power source decides after which time it is paused', async () => {
  let isOnBattery = true;
  const made = standIn({}, { power: { isOnBattery: () => isOnBattery } });
  try {
    assert.equal((await made.machine.start()).status, 'running');
    await made.machine.controls!.change({ pauseAfterMs: null, pauseOnBatteryAfterMs: 1000 });
    await untilState(made.machine, ({ status }) => status === 'paused');
    isOnBattery = false;
    await made.machine.engine().request({ method: 'GET', path: '/_ping' });
    assert.equal(made.machine.state().status, 'running');
    // This is longer than the polling interval of idle-pause.ts.
    await sleep(7000);
    assert.equal(made.machine.state().status, 'running');
  } finally {
    await made.remove();
  }
});
