import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { ShareOperation as Wire } from '../../../agent/contract/share-wire.ts';
import { until } from '../../../agent/e2e/until.ts';
import { testFolderServer } from './file-server/folder-server.suite.ts';
import { Asker } from './file-server/testdata/asker.ts';
import { openFolderThread } from './open-folder-thread.ts';

testFolderServer(openFolderThread);

test('a folder that is not there is refused with the reason', async () => {
  await assert.rejects(
    openFolderThread({ name: 's', path: '/none/such', mountPath: '/s' }),
    /ENOENT.*\/none\/such/,
  );
});

test('a thread that has ended serves nobody, and says so', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-thread-'));
  const server = await openFolderThread({ name: 's', path: directory, mountPath: '/s' });
  server.close();
  await until(() => !server.isAlive);
  const [channel] = duplexPair();
  await assert.rejects(server.serve(channel), /has ended/);
  assert.ok(channel.destroyed);
  rmSync(directory, { recursive: true });
});

test('more than the threads keep under way between them arrives whole', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-thread-'));
  const content = Buffer.alloc(16 * 1024 * 1024);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
  writeFileSync(join(directory, 'file'), content);
  const server = await openFolderThread({ name: 's', path: directory, mountPath: '/s' });
  const asker = new Asker(server);
  t.after(() => {
    asker.close();
    server.close();
    rmSync(directory, { recursive: true });
  });
  await asker.ask(1, Wire.open, (frame) => frame.name('file').u32(0).u64(1).u32(0));
  const pieceBytes = 128 * 1024;
  const pieces = Array.from({ length: content.length / pieceBytes }, (_, index) =>
    asker.ask(3 + 2 * index, Wire.read, (frame) =>
      frame
        .u64(1)
        .u64(index * pieceBytes)
        .u32(pieceBytes),
    ),
  );
  const answers = await Promise.all(pieces);
  assert.ok(Buffer.concat(answers.map((answer) => answer.raw(answer.left))).equals(content));
});
