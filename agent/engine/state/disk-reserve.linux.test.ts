import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Database, openDatabase } from './database.ts';
import { DiskReserve } from './disk-reserve.ts';

const sizeBytes = 24 * 1024 * 1024;
let disk: string;
let database: Database;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'corten-reserve-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', disk]);
  database = openDatabase(join(disk, 'corten.db'));
  database.exec('CREATE TABLE scratch (content BLOB)');
});
afterEach(() => {
  database.close();
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

function fill(): string {
  const path = join(disk, 'filler');
  assert.throws(() => writeFileSync(path, Buffer.alloc(2 * sizeBytes)), { code: 'ENOSPC' });
  return path;
}

/** A row that takes more of the disk than SQLite has taken already. */
function write(): void {
  database.prepare('INSERT INTO scratch VALUES (zeroblob(1000000))').run();
}

test('disk reserve: what must be written is written on a full disk', () => {
  const reserve = new DiskReserve(join(disk, 'reserve'));
  fill();
  assert.throws(write, { errcode: 13 });
  reserve.spend(write);
  assert.equal(existsSync(join(disk, 'reserve')), false);
});

test('disk reserve: it is made again once there is room, and not before', () => {
  const reserve = new DiskReserve(join(disk, 'reserve'));
  const filler = fill();
  reserve.spend(write);
  reserve.spend(() => undefined);
  assert.equal(existsSync(join(disk, 'reserve')), false);
  rmSync(filler);
  reserve.spend(() => undefined);
  assert.equal(existsSync(join(disk, 'reserve')), true);
});

test('disk reserve: an error of another kind leaves it alone', () => {
  const reserve = new DiskReserve(join(disk, 'reserve'));
  const wrong = new Error('wrong');
  assert.throws(() => reserve.spend(() => assert.fail(wrong)), wrong);
  assert.equal(existsSync(join(disk, 'reserve')), true);
});
