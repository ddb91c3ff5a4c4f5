/** What the host told, and what the kernel is told of it: the table is ahead, and answers for both. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  ChangeKind,
  FrameReader,
  FrameWriter,
  Stat,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { Opcode, outHeaderBytes, type Question, readU64 } from './fuse-wire.ts';
import { type Node, NodeTable } from './node-table.ts';
import { Owners } from './owners.ts';
import { Replay, type ReplayOrder } from './replay.ts';
import type { ShareContext } from './share-context.ts';

function statOf(inode: number, mode = 0o040755): Buffer {
  const stat = Buffer.alloc(statBytes);
  stat.writeBigUInt64LE(BigInt(inode), Stat.inode);
  stat.writeUInt32LE(mode, Stat.mode);
  stat.writeUInt32LE(1, Stat.links);
  return stat;
}

function bench(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'corten-replay-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const nodes = new NodeTable(statOf(1));
  const orders: ReplayOrder[] = [];
  const replies: Buffer[] = [];
  const share: ShareContext = {
    nodes,
    owners: new Owners(join(directory, 'owners')),
    link: {
      ask: (operation) => {
        assert.equal(operation, Wire.list, 'the host was asked');
        return 1;
      },
      tell: () => {},
    },
    reply: (_question, bytes) => void replies.push(bytes),
    fail: (_question, errno) => assert.equal(errno, 0),
    openNow: () => {},
    whenWritten: (_node, then) => then(),
    whenTold: (_node, then) => then(),
    isAwaited: () => true,
    madeUnheard: () => {},
    hasSeveralUsers: false,
  };
  const replay = new Replay(share, (order) => orders.push(order));
  const make = (folder: Node, name: string, inode: number, mode?: number) => {
    const node = nodes.enter(folder, name, statOf(inode, mode));
    nodes.give(node);
    return node;
  };
  const lookedUp = (folder: Node, name: string) => {
    const body = Buffer.from(`${name}\0`);
    const question: Question = {
      opcode: Opcode.lookup,
      unique: 2n,
      node: folder.id,
      uid: 0,
      gid: 0,
      pid: 1,
      body,
    };
    assert.ok(replay.answer(question));
    return readU64(replies.at(-1)!, outHeaderBytes);
  };
  return { nodes, orders, replay, make, lookedUp };
}

const told = (fill: (frame: FrameWriter) => void) => {
  const frame = new FrameWriter(0, Wire.changes);
  fill(frame);
  return new FrameReader(frame.finish());
};

test('a folder has its new path as soon as the host told, and its old one for the kernel until that is told', (t) => {
  const { nodes, orders, replay, make, lookedUp } = bench(t);
  const one = make(nodes.root, 'one', 2);
  const file = make(one, 'file', 3, 0o100644);
  replay.take(
    told((frame) =>
      frame
        .u8(ChangeKind.modified)
        .name('one/file')
        .raw(statOf(3, 0o100644))
        .u8(ChangeKind.renamed)
        .name('one')
        .name('two')
        .raw(statOf(2)),
    ),
  );
  assert.equal(nodes.pathOf(file), 'two/file');
  // The kernel is told of the first while it knows nothing of the second.
  assert.deepEqual(
    orders.map(({ folder, name, node }) => [folder, name, node]),
    [['one', 'file', file.id]],
  );
  assert.equal(lookedUp(nodes.root, 'one'), one.id);
  assert.equal(lookedUp(one, 'file'), file.id);
  replay.done();
  assert.deepEqual([orders[1]?.name, orders[1]?.toName], ['one', 'two']);
  assert.equal(lookedUp(nodes.root, 'one'), one.id);
  assert.equal(lookedUp(nodes.root, 'two'), 0);
  assert.equal(nodes.pathOf(file), 'two/file');
  replay.done();
  assert.equal(nodes.pathOf(file), 'two/file');
  assert.ok(replay.isIdle);
});

test('a move is told also when its end was found before', (t) => {
  const { nodes, orders, replay, make, lookedUp } = bench(t);
  const file = make(nodes.root, 'one', 2);
  assert.equal(make(nodes.root, 'two', 2), file);
  replay.take(told((frame) => frame.u8(ChangeKind.renamed).name('one').name('two').raw(statOf(2))));
  assert.deepEqual([orders[0]?.name, orders[0]?.toName], ['one', 'two']);
  assert.equal(lookedUp(nodes.root, 'one'), file.id);
  assert.equal(lookedUp(nodes.root, 'two'), 0);
  replay.done();
  assert.equal(nodes.at('two'), file);
});

test('a removed name is gone at once, and can be taken from the kernel all the same', (t) => {
  const { nodes, orders, replay, make, lookedUp } = bench(t);
  const file = make(nodes.root, 'file', 2, 0o100644);
  replay.take(told((frame) => frame.u8(ChangeKind.removed).name('file').raw(statOf(2, 0o100644))));
  assert.equal(nodes.pathOf(file), undefined);
  assert.equal(orders[0]?.node, file.id);
  // Another one of that name, which the kernel has been given since, stays.
  const next = make(nodes.root, 'file', 3, 0o100644);
  assert.equal(lookedUp(nodes.root, 'file'), file.id);
  replay.done();
  assert.equal(nodes.find(nodes.root, 'file'), next);
});

test('what was made and moved before the kernel heard of it ends where the host has it', (t) => {
  const { nodes, orders, replay, lookedUp } = bench(t);
  replay.take(
    told((frame) =>
      frame
        .u8(ChangeKind.created)
        .name('first')
        .raw(statOf(2))
        .u8(ChangeKind.renamed)
        .name('first')
        .name('second')
        .raw(statOf(2)),
    ),
  );
  assert.equal(lookedUp(nodes.root, 'first'), 0);
  replay.done();
  assert.equal(orders.length, 2);
  const id = lookedUp(nodes.root, 'first');
  replay.done();
  assert.equal(nodes.at('second')?.id, id);
  assert.equal(nodes.at('first'), undefined);
});

test('what was made and removed before the kernel heard of it is known to nobody in the end', (t) => {
  const { nodes, orders, replay, lookedUp } = bench(t);
  const [created, removed] = [ChangeKind.created, ChangeKind.removed];
  replay.take(
    told((frame) =>
      frame.u8(created).name('file').raw(statOf(2)).u8(removed).name('file').raw(statOf(2)),
    ),
  );
  replay.done();
  assert.equal(orders.length, 2);
  assert.notEqual(lookedUp(nodes.root, 'file'), 0);
  replay.done();
  assert.equal(nodes.at('file'), undefined);
});

test('attributes that were lost are asked for before anybody opens the file, and once for all', (t) => {
  const { nodes, orders, replay, make } = bench(t);
  const [file, other] = [make(nodes.root, 'file', 2, 0o100644), make(nodes.root, 'other', 3)];
  replay.loseAll();
  const opened: string[] = [];
  replay.whenTold(other, () => opened.push('other'));
  replay.whenTold(other, () => opened.push('again'));
  // The one on its way was begun before anybody waited.
  assert.deepEqual(
    orders.map(({ name, asks }) => [name, asks]),
    [['file', false]],
  );
  replay.done();
  assert.deepEqual([orders[1]?.name, orders[1]?.asks], ['other', true]);
  assert.equal(opened.length, 0);
  replay.done();
  assert.equal(opened.splice(0).join(), 'other,again');
  // Lost again, it is asked for again.
  replay.loseAll();
  replay.whenTold(file, () => opened.push('file'));
  while (!replay.isIdle) replay.done();
  assert.deepEqual(opened, ['file']);
  assert.equal(file.attributesLostAt, 0);
});
