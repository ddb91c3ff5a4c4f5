import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Database, openDatabase } from './database.ts';
import { closeKeepingPages, isFull, ReservedPages } from './reserved-pages.ts';

const sizeBytes = 64 * 1024 * 1024;
let disk: string;
let path: string;
let database: Database;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'corten-room-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', disk]);
  path = join(disk, 'corten.db');
  database = openDatabase(path);
});
afterEach(() => {
  if (database.isOpen) database.close();
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

function fill(name = 'filler'): string {
  const filler = join(disk, name);
  assert.throws(() => writeFileSync(filler, Buffer.alloc(2 * sizeBytes)), { code: 'ENOSPC' });
  assert.equal(statfsSync(disk).bavail, 0);
  return filler;
}

const insert = (id: string, bytes = 3000) =>
  database
    .prepare('INSERT INTO containers VALUES (?, ?, ?, ?)')
    .run(id, id, 'x'.repeat(bytes), '{}');
const change = (id: string, state: string) =>
  database.prepare('UPDATE containers SET state = ? WHERE id = ?').run(state, id);
const remove = (id: string) => database.prepare('DELETE FROM containers WHERE id = ?').run(id);

test('room: on a full disk thousands of changes and every removal are written', () => {
  const room = new ReservedPages(database, path);
  const ids = Array.from({ length: 300 }, (_, index) => `c${index}`);
  for (const id of ids) {
    room.forNew(3000);
    insert(id);
  }
  fill();
  for (let round = 0; round < 10; round++)
    for (const id of ids) {
      room.forChange(2000);
      change(id, String(round).repeat(2000));
    }
  for (const id of ids) remove(id);
  assert.equal(database.prepare('SELECT count(*) AS left FROM containers').get()?.left, 0);
});

test('room: what is not of the database’s own is no file that a full disk would have no place for', () => {
  insert('one');
  assert.deepEqual(readdirSync(disk).toSorted(), ['corten.db', 'corten.db-wal']);
});

test('room: without it the same disk refuses', () => {
  insert('one');
  fill();
  assert.throws(
    () => {
      for (let round = 0; round < 2000; round++) change('one', 'y'.repeat(round));
    },
    (error) => isFull(error),
  );
});

test('room: it outlives the agent, however that ends', () => {
  new ReservedPages(database, path);
  insert('one');
  closeKeepingPages(database, path);
  fill();
  database = openDatabase(path);
  const room = new ReservedPages(database, path);
  for (let round = 0; round < 3000; round++) {
    room.forChange(3000);
    change('one', String(round % 10).repeat(3000));
  }
  remove('one');
});

test('room: what new containers take of it is made again, and where it cannot be, they are refused', () => {
  const room = new ReservedPages(database, path);
  const before = statSync(path).size;
  for (let index = 0; index < 1000; index++) {
    room.forNew(8000);
    insert(`c${index}`, 8000);
  }
  assert.ok(statSync(path).size > before);
  assert.ok(Number(database.prepare('PRAGMA freelist_count').get()?.freelist_count) > 700);
  fill();
  let refused = 0;
  for (let index = 0; index < 2000 && refused === 0; index++) {
    try {
      room.forNew(8000);
      insert(`d${index}`, 8000);
    } catch (error) {
      assert.ok(isFull(error));
      refused++;
    }
  }
  assert.equal(refused, 1);
  for (let index = 0; index < 1000; index++) remove(`c${index}`);
});

test('room: a disk that is nearly full is left to others', () => {
  writeFileSync(join(disk, 'most'), Buffer.alloc(sizeBytes - 16 * 1024 * 1024));
  new ReservedPages(database, path);
  assert.ok(statSync(path).size < 1024 * 1024);
});
