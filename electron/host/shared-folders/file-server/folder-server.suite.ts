/** What the host answers a machine that asks for more than it was given, or asks twice. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  ChangeKind,
  type FrameWriter,
  SetAttribute,
  statBytes,
  ShareOperation as Wire,
} from '../../../../agent/contract/share-wire.ts';
import type { FolderServer, FolderServerOptions } from './folder-server.ts';
import { Asker } from './testdata/asker.ts';

const [EPERM, ENOENT, EEXIST, ENOTDIR, EINVAL, EROFS, ELOOP, EBADF] = [1, 2, 17, 20, 22, 30, 40, 9];
export function testFolderServer(
  openServer: (options: FolderServerOptions) => FolderServer | Promise<FolderServer>,
): void {
  let directory: string;
  let shared: string;
  let server: FolderServer;
  let asker: Asker;

  beforeEach(async () => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'corten-folder-')));
    shared = join(directory, 'shared');
    mkdirSync(join(shared, 'folder'), { recursive: true });
    mkdirSync(join(directory, 'outside'));
    writeFileSync(join(directory, 'outside/secret'), 'secret');
    await begin();
  });

  afterEach(() => {
    asker.close();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function begin(options: Partial<FolderServerOptions> = {}): Promise<void> {
    server = await openServer({ name: 's', path: shared, mountPath: '/s', ...options });
    asker = new Asker(server);
  }

  let lastId = 1;
  function ask(operation: number, fill: Parameters<Asker['ask']>[2]) {
    lastId += 2;
    return asker.ask(lastId, operation, fill);
  }
  const lookup = async (path: string) =>
    (await ask(Wire.lookup, (frame) => frame.name(path))).errno;
  const open = async (path: string, handle = 1) =>
    (await ask(Wire.open, (frame) => frame.name(path).u32(0).u64(handle).u32(100))).errno;

  test('no path leads out of the folder: not by dots, not by links, not by what is no name', async () => {
    symlinkSync('../outside', join(shared, 'link'));
    symlinkSync(join(directory, 'outside/secret'), join(shared, 'file-link'));
    for (const path of [
      '../outside/secret',
      'folder/../../outside/secret',
      '/etc/passwd',
      '.',
      'a//b',
    ])
      assert.equal(await lookup(path), EINVAL, path);
    assert.equal(await lookup('link/secret'), ENOTDIR);
    assert.equal(await open('link/secret'), ENOTDIR);
    assert.equal(await open('file-link'), ELOOP);
    // The link itself may be seen, as a link.
    assert.equal(await lookup('link'), 0);
    const made = await ask(Wire.create, (frame) => frame.name('link/new').u32(1).u32(0o600).u64(2));
    assert.equal(made.errno, ENOTDIR);
    assert.ok(!existsSync(join(directory, 'outside/new')));
  });

  test('a folder that becomes a link is no way out, whoever makes it one', async () => {
    writeFileSync(join(shared, 'folder/secret'), 'own');
    assert.equal(await open('folder/secret'), 0);
    // The machine: what was found to be a folder counts no more.
    assert.equal((await ask(Wire.rename, (f) => f.name('folder').name('away').u32(0))).errno, 0);
    assert.equal((await ask(Wire.symlink, (f) => f.name('folder').name('../outside'))).errno, 0);
    assert.equal(await open('folder/secret', 3), ENOTDIR);
    // By exchange too.
    symlinkSync('../outside', join(shared, 'second'));
    assert.equal(await lookup('away/secret'), 0);
    assert.equal((await ask(Wire.rename, (f) => f.name('away').name('second').u32(2))).errno, 0);
    assert.equal(await open('away/secret', 4), ENOTDIR);
    assert.equal(await open('second/secret', 5), 0);
  });

  test('rights and times of a link never change what it leads to', async () => {
    symlinkSync('../outside/secret', join(shared, 'link'));
    const set = (mask: number) =>
      ask(Wire.setattr, (frame) =>
        frame.u64(0).name('link').u32(mask).u32(0o777).u64(0).f64(1).f64(1),
      );
    assert.notEqual((await set(SetAttribute.mode)).errno, 0);
    assert.notEqual((await set(SetAttribute.size)).errno, 0);
    assert.equal((await set(SetAttribute.modified)).errno, 0);
    assert.equal(readFileSync(join(directory, 'outside/secret'), 'utf8'), 'secret');
  });

  test('what was done and is asked again over another connection is not done again', async () => {
    const mkdir = (of: Asker, id: number) =>
      of.ask(id, Wire.mkdir, (f) => f.name('made').u32(0o755));
    assert.equal((await mkdir(asker, 100)).errno, 0);
    asker.close();
    asker = new Asker(server);
    assert.equal((await mkdir(asker, 100)).errno, 0);
    assert.equal((await mkdir(asker, 101)).errno, EEXIST);
  });

  test('what is open stays open for the same mount, and is closed for another', async () => {
    writeFileSync(join(shared, 'file'), 'content');
    assert.equal(await open('file', 7), 0);
    const read = async () => await ask(Wire.read, (frame) => frame.u64(7).u64(0).u32(100));
    asker.close();
    asker = new Asker(server);
    const again = await read();
    assert.equal(again.raw(again.left).toString(), 'content');
    asker.close();
    asker = new Asker(server, 'another mount');
    assert.equal((await read()).errno, EBADF);
  });

  test('an agent that goes on with a mount has what it retains, and is not taken for the one before', async () => {
    writeFileSync(join(shared, 'file'), 'content');
    assert.equal(await open('file', 7), 0);
    assert.equal(await open('file', 8), 0);
    const [ofKernel, ofAgent] = [1000, 1001];
    const mkdir = (of: Asker, id: number) =>
      of.ask(id, Wire.mkdir, (f) => f.name(`${id}`).u32(0o755));
    for (const id of [ofKernel, ofAgent]) assert.equal((await mkdir(asker, id)).errno, 0);
    rmSync(join(shared, 'file'));
    asker.close();
    asker = new Asker(server);
    void asker.ask(0, Wire.retain, (frame) => frame.u64(7));
    const read = async (handle: number) =>
      (await ask(Wire.read, (frame) => frame.u64(handle).u64(0).u32(100))).errno;
    assert.equal(await read(7), 0);
    assert.equal(await read(8), EBADF);
    // It cannot know whether an open arrived: what has the number stays.
    assert.equal(await open('file', 7), 0);
    assert.equal(await read(7), 0);
    assert.equal((await mkdir(asker, ofKernel)).errno, 0);
    assert.equal((await mkdir(asker, ofAgent)).errno, EEXIST);
  });

  test('an answer is remembered until the machine has it, and what it gave up is told', async () => {
    const create = (id: number, name: string) =>
      asker.ask(id, Wire.create, (f) => f.name(name).u32(0o302).u32(0o600).u64(id));
    const read = async (handle: number) =>
      (await ask(Wire.read, (frame) => frame.u64(handle).u64(0).u32(100))).errno;
    assert.equal((await create(100, 'had')).errno, 0);
    void asker.ask(0, Wire.have, (frame) => frame.u32(100));
    assert.equal((await create(100, 'had')).errno, EEXIST);
    for (const [id, name] of [
      [102, 'asked again'],
      [104, 'given up'],
      [106, 'known after all'],
    ] as const)
      assert.equal((await create(id, name)).errno, 0);
    asker.close();
    asker = new Asker(server);
    assert.equal((await create(102, 'asked again')).errno, 0);
    void asker.ask(0, Wire.settled, (frame) => frame.u64(106));
    assert.equal(await read(104), EBADF);
    for (const handle of [102, 106]) assert.equal(await read(handle), 0);
    const [missed] = asker.missed;
    const told: [kind: number, path: string][] = [];
    while (missed !== undefined && missed.left > 0) {
      told.push([missed.u8(), missed.name()]);
      missed.raw(statBytes);
    }
    assert.deepEqual(told, [
      [ChangeKind.created, 'given up'],
      [ChangeKind.created, 'known after all'],
    ]);
  });

  async function beginAnew(options: Partial<FolderServerOptions>): Promise<void> {
    asker.close();
    server.close();
    await begin(options);
  }

  /** Paths of what the machine was told, in their order. */
  const toldTo = (of: Asker) =>
    of.changes.flatMap((frame) => {
      const paths: string[] = [];
      for (const changes = frame.again(); changes.left > 0; changes.raw(statBytes)) {
        changes.u8();
        paths.push(changes.name());
      }
      return paths;
    });

  async function untilTold(of: Asker, path: string): Promise<void> {
    for (const end = performance.now() + 120_000; !toldTo(of).includes(path); await nextTurn())
      assert.ok(performance.now() < end, `${path} was not told, but ${toldTo(of)}`);
  }
  const nextTurn = () => new Promise(setImmediate);

  test('what was told on a line that broke is told again from where the machine heard', async () => {
    assert.equal(await lookup('none'), ENOENT);
    for (const name of ['one', 'two', 'three']) {
      writeFileSync(join(shared, name), '');
      await untilTold(asker, name);
    }
    const before = asker;
    const heard = before.changes.findIndex((frame) => {
      const changes = frame.again();
      changes.u8();
      return changes.name() === 'two';
    });
    asker.close();
    writeFileSync(join(shared, 'four'), '');
    asker = new Asker(server, 'mount', heard);
    await untilTold(asker, 'four');
    assert.deepEqual(toldTo(asker), ['two', 'three', 'four']);
    // An agent that goes by nothing has to be told nothing again.
    asker.close();
    asker = new Asker(server);
    writeFileSync(join(shared, 'five'), '');
    await untilTold(asker, 'five');
    assert.deepEqual(toldTo(asker), ['five']);
  });

  test('a paused machine gets no change, and all of them with its next request or when it resumes', async (t) => {
    assert.equal(await lookup('none'), ENOENT);
    server.hold(true);
    for (let times = 0; times < 50; times++) writeFileSync(join(shared, 'log'), `${times}`);
    writeFileSync(join(shared, 'last'), '');
    // Another connection gets the change before the paused one.
    const other = await openServer({ name: 'o', path: shared, mountPath: '/o' });
    const witness = new Asker(other);
    t.after(() => {
      witness.close();
      other.close();
    });
    const name = (frame: FrameWriter) => frame.name('none');
    assert.equal((await witness.ask(1, Wire.lookup, name)).errno, ENOENT);
    writeFileSync(join(shared, 'seen'), '');
    await untilTold(witness, 'seen');
    assert.deepEqual(toldTo(asker), []);
    server.hold(false);
    await untilTold(asker, 'last');
    assert.ok(toldTo(asker).filter((path) => path === 'log').length <= 2);
    server.hold(true);
    writeFileSync(join(shared, 'asked'), '');
    // After a resume by another use, the machine's request can arrive before the resume is known here.
    for (const end = performance.now() + 120_000; !toldTo(asker).includes('asked'); ) {
      assert.ok(performance.now() < end, 'what changed was not told before an answer');
      await lookup('folder');
      // A watcher's events come with the next turn.
      await nextTurn();
    }
  });

  test('where more changes than can be kept the machine is told to go by nothing, until it has heard', async () => {
    await beginAnew({ mostPending: 0 });
    assert.equal(await lookup('none'), ENOENT);
    const untilLost = async () => {
      for (const end = performance.now() + 120_000; asker.lost === 0; await nextTurn())
        assert.ok(performance.now() < end, 'it was not told');
    };
    writeFileSync(join(shared, 'one'), '');
    await untilLost();
    assert.deepEqual(toldTo(asker), []);
    asker.close();
    asker = new Asker(server, 'mount', 0);
    await untilLost();
    // As much is told to one that says of itself what cannot be.
    asker.close();
    asker = new Asker(server, 'mount', 1000);
    await untilLost();
  });

  test('a folder that is shared to be read is not written', async () => {
    asker.close();
    server.close();
    await begin({ readOnly: true });
    writeFileSync(join(shared, 'file'), 'content');
    assert.equal(await open('file', 1), 0);
    assert.equal((await ask(Wire.unlink, (frame) => frame.name('file'))).errno, EROFS);
    const writing = await ask(Wire.open, (frame) => frame.name('file').u32(1).u64(2).u32(0));
    assert.equal(writing.errno, EROFS);
    const truncating = await ask(Wire.open, (frame) =>
      frame.name('file').u32(0o1000).u64(2).u32(0),
    );
    assert.equal(truncating.errno, EROFS);
  });

  test('a folder of the host that moves is followed no more under its old name', async () => {
    assert.equal(await lookup('folder'), 0);
    writeFileSync(join(shared, 'folder/secret'), 'own');
    assert.equal(await lookup('folder/secret'), 0);
    renameSync(join(shared, 'folder'), join(shared, 'moved'));
    symlinkSync('../outside', join(shared, 'folder'));
    while ((await lookup('folder/secret')) !== ENOTDIR) await new Promise(setImmediate);
  });

  test('what changes in a folder below one that was listed is told from the answer on', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `folder/${index}`);
    for (const name of names) mkdirSync(join(shared, name));
    assert.equal((await ask(Wire.list, (frame) => frame.name('folder'))).errno, 0);
    for (const name of names) writeFileSync(join(shared, name, 'new'), '');
    const told = new Set<string>();
    for (const end = performance.now() + 120_000; told.size < names.length; ) {
      assert.ok(performance.now() < end, `only ${told.size} of ${names.length} were told`);
      await new Promise(setImmediate);
      for (const changes of asker.changes.splice(0))
        while (changes.left > 0) {
          const [kind, path] = [changes.u8(), changes.name()];
          if (kind === ChangeKind.created) told.add(path);
          changes.raw(statBytes);
        }
    }
    assert.deepEqual(told, new Set(names.map((name) => `${name}/new`)));
  });

  test('noise is the end of a connection and of nothing else', async () => {
    const operations: number[] = [Wire.write, Wire.read, Wire.release, 9999];
    for (const operation of operations)
      assert.notEqual(
        (await ask(operation, (frame) => frame.u64(77).u64(0).u32(1))).errno,
        undefined,
      );
    assert.equal(await lookup('folder'), 0);
    assert.notEqual(await lookup('none'), EPERM);
    assert.equal(await lookup('none'), ENOENT);
  });
}
