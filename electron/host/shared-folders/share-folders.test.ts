/** Changes in the folders of a paused machine are kept and sent when it resumes. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { after, test } from 'node:test';
import type { ClientChannel } from 'ssh2';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  statBytes,
  ShareOperation as Wire,
} from '../../../agent/contract/share-wire.ts';
import { until } from '../../../agent/e2e/until.ts';
import { pauseListeners } from '../machine/testdata/pause-listeners.ts';
import type { SshLink } from '../ssh/link.ts';
import { openFolderList } from './folder-list.ts';
import { createFolderSharing, type FolderSharing } from './share-folders.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-sharing-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function companionOf(
  sharing: FolderSharing,
  link: SshLink,
  onPauseChange = pauseListeners().onPauseChange,
) {
  const report = (what: string, error: unknown) => assert.fail(`${what}: ${error}`);
  return sharing.companion({ link, services: link, onPauseChange, report });
}

/** A machine's end of it: it knows the folder, and notes what it is told. */
function machineOf(sharing: FolderSharing) {
  const told: string[] = [];
  const lines: Duplex[] = [];
  const knows = Promise.withResolvers<void>();
  const { onPauseChange, setPaused } = pauseListeners();
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
      lines.push(agent);
      const splitter = new FrameSplitter();
      agent.on('data', (chunk: Buffer) => splitter.push(chunk, (frame) => answer(agent, frame)));
      return Object.assign(host, { close: () => host.destroy() }) as unknown as ClientChannel;
    },
  } as unknown as SshLink;
  const companion = companionOf(sharing, link, onPauseChange);
  const untilTold = (path: string) =>
    until(
      () => told.includes(path),
      () => `${path} is told, and not only ${told}`,
    );
  return {
    told,
    untilTold,
    knows: knows.promise,
    setPaused,
    /** The channels so far. */
    lines,
    linger: () => companion.linger?.(),
    close: () => companion.close(),
  };
}

function sharingOf(name: string) {
  const shared = join(directory, name);
  mkdirSync(shared);
  const listFile = join(directory, `${name}.json`);
  writeFileSync(listFile, JSON.stringify({ folders: [{ path: shared, readOnly: false }] }));
  return { shared, sharing: createFolderSharing({ list: openFolderList(listFile) }) };
}

test('changes during a pause are sent after it, and to another machine at once', async () => {
  const { shared, sharing } = sharingOf('changed');
  const [paused, other] = [machineOf(sharing), machineOf(sharing)];
  try {
    await Promise.all([paused.knows, other.knows]);
    paused.setPaused(true);
    for (const name of ['one', 'two', 'three']) {
      writeFileSync(join(shared, name), '');
      await other.untilTold(name);
    }
    assert.deepEqual(paused.told, []);
    paused.setPaused(false);
    await paused.untilTold('three');
    assert.deepEqual(paused.told, ['one', 'two', 'three']);
  } finally {
    await Promise.all([paused.close(), other.close()]);
  }
});

test('what one machine refuses is said until that machine is gone, whatever another has', async () => {
  const { sharing } = sharingOf('refused');
  const problem = () => sharing.view().folders[0]?.problem;
  const refusing = companionOf(sharing, {
    openStreamLocal: async () => {
      throw new Error('No such service.');
    },
  } as unknown as SshLink);
  await refusing.ready;
  assert.equal(problem(), 'No such service. It is tried again.');
  const other = machineOf(sharing);
  try {
    await other.knows;
    assert.equal(problem(), 'No such service. It is tried again.');
    await refusing.close();
    assert.equal(problem(), undefined);
  } finally {
    await Promise.all([refusing.close(), other.close()]);
  }
});

test('while a machine ends it is served as before, and no line that breaks then is made again', async () => {
  const { shared, sharing } = sharingOf('ending');
  const [ending, other] = [machineOf(sharing), machineOf(sharing)];
  try {
    await Promise.all([ending.knows, other.knows]);
    ending.linger();
    writeFileSync(join(shared, 'last'), '');
    await ending.untilTold('last');
    for (const machine of [ending, other]) machine.lines[0]?.destroy();
    await until(
      () => other.lines.length === 2,
      () => 'the other machine has its folder again',
    );
    assert.equal(ending.lines.length, 1);
    assert.equal(sharing.view().folders[0]?.problem, undefined);
  } finally {
    await Promise.all([ending.close(), other.close()]);
  }
});
