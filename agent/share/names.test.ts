import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  FrameReader,
  FrameWriter,
  Stat,
  statBytes,
  ShareOperation as Wire,
  watchedFlag,
} from '../contract/share-wire.ts';
import { outHeaderBytes, type Question } from './fuse-wire.ts';
import { lookup, replyNode } from './names.ts';
import { NodeTable } from './node-table.ts';
import { Owners } from './owners.ts';
import type { ShareContext } from './share-context.ts';

function folderStat(inode: bigint): Buffer {
  const stat = Buffer.alloc(statBytes);
  stat.writeBigUInt64LE(inode, 0);
  stat.writeUInt32LE(0o040755, Stat.mode);
  stat.writeUInt32LE(watchedFlag, Stat.flags);
  return stat;
}

function bench() {
  const directory = mkdtempSync(join(tmpdir(), 'corten-names-'));
  const answers: ((reader: FrameReader) => void)[] = [];
  const replies: Buffer[] = [];
  const share: ShareContext = {
    nodes: new NodeTable(folderStat(1n)),
    owners: new Owners(join(directory, 'owners')),
    link: { ask: (_operation, _fill, onAnswer) => answers.push(onAnswer), tell: () => {} },
    reply: (_question, bytes) => void replies.push(bytes),
    fail: (_question, errno) => assert.fail(`errno ${errno}`),
    openNow: () => {},
    whenWritten: (_node, then) => then(),
    whenTold: (_node, then) => then(),
    isAwaited: () => true,
    madeUnheard: () => {},
    hasSeveralUsers: false,
  };
  const body = Buffer.from('folder\0');
  const question: Question = { opcode: 1, unique: 1n, node: 1, uid: 0, gid: 0, pid: 9, body };
  const answer = () =>
    answers.at(-1)?.(new FrameReader(new FrameWriter(1, Wire.lookup).raw(folderStat(2n)).finish()));
  return { share, question, answers, replies, answer, directory };
}

/** entry_valid of struct fuse_entry_out: how long the kernel asks nobody. */
const entrySeconds = (reply: Buffer) => Number(reply.readBigUInt64LE(outHeaderBytes + 16));

test('a name is looked up again when a folder was let go meanwhile', (t) => {
  const { share, question, answers, replies, answer, directory } = bench();
  t.after(() => rmSync(directory, { recursive: true }));
  lookup(share, question);
  share.nodes.leave(share.nodes.root);
  // The kernel's next question is read into the same memory.
  question.body.fill(0);
  answer();
  assert.deepEqual([answers.length, replies.length], [2, 0]);
  answer();
  assert.deepEqual([answers.length, replies.length], [2, 1]);
  assert.ok(entrySeconds(replies[0]!) > 0);
  assert.ok(share.nodes.find(share.nodes.root, 'folder'));
});

test('a folder that the host may not follow yet is not kept by the kernel', (t) => {
  const { share, question, replies, directory } = bench();
  t.after(() => rmSync(directory, { recursive: true }));
  const node = share.nodes.enter(share.nodes.root, 'folder', folderStat(2n));
  replyNode(share, question, node);
  node.isFollowed = true;
  replyNode(share, question, node);
  assert.equal(entrySeconds(replies[0]!), 0);
  assert.ok(entrySeconds(replies[1]!) > 0);
});
