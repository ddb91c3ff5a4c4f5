/** A machine that rests is left in peace by what changes in its folders, and hears of it when it wakes. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientChannel } from 'ssh2';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  statBytes,
  ShareOperation as Wire,
} from '../../../agent/contract/share-wire.ts';
import { restAtWill } from '../machine/testdata/rest-at-will.ts';
import type { SshLink } from '../ssh/link.ts';
import { openFolderList } from './folder-list.ts';
import { createFolderSharing, type FolderSharing } from './share-folders.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-sharing-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** A machine's end of it: it knows the folder, and notes what it is told. */
function machineOf(sharing: FolderSharing) {
  const told: string[] = [];
  const knows = Promise.withResolvers<void>();
  const { onRest, rest } = restAtWill();
  const answer = (agent: Duplex, frame: Buffer) => {
    const reader = new FrameReader(frame);
    if (reader.operation === Wire.hello) {
      const welcome = Buffer.from(JSON.stringify({ mount: 'mount', heard: 0 }));
      agent.write(new FrameWriter(0, Wire.hello).bytes(welcome).finish());
      agent.write(new FrameWriter(1, Wire.lookup).name('none').finish());
    } else if (reader.operation === Wire.lookup) knows.resolve();
    else if (reader.operation === Wire.changes)
      for (; reader.left > 0; reader.raw(statBytes)) {
        reader.u8();
        told.push(reader.name());
      }
  };
  const link = {
    openStreamLocal: async () => {
      const [agent, host] = duplexPair();
      const splitter = new FrameSplitter();
      agent.on('data', (chunk: Buffer) => splitter.push(chunk, (frame) => answer(agent, frame)));
      return Object.assign(host, { close: () => host.destroy() }) as unknown as ClientChannel;
    },
  } as unknown as SshLink;
  const companion = sharing.companion({
    link,
    services: link,
    onRest,
    report: (what, error) => assert.fail(`${what}: ${error}`),
  });
  const until = async (path: string) => {
    for (const end = performance.now() + 120_000; !told.includes(path); await sleep(5))
      assert.ok(performance.now() < end, `${path} was not told, but ${told}`);
  };
  return {
    told,
    until,
    knows: knows.promise,
    rest,
    close: () => companion.close(),
  };
}

test('what changes while a machine rests is told when it is awake, and to another machine at once', async () => {
  const shared = join(directory, 'shared');
  mkdirSync(shared);
  const listFile = join(directory, 'folders.json');
  writeFileSync(listFile, JSON.stringify({ folders: [{ path: shared, readOnly: false }] }));
  const sharing = createFolderSharing({ list: openFolderList(listFile) });
  const [sleeper, other] = [machineOf(sharing), machineOf(sharing)];
  try {
    await Promise.all([sleeper.knows, other.knows]);
    sleeper.rest(true);
    for (const name of ['one', 'two', 'three']) {
      writeFileSync(join(shared, name), '');
      await other.until(name);
    }
    assert.deepEqual(sleeper.told, []);
    sleeper.rest(false);
    await sleeper.until('three');
    assert.deepEqual(sleeper.told, ['one', 'two', 'three']);
  } finally {
    await Promise.all([sleeper.close(), other.close()]);
  }
});
