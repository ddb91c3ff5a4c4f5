/** A directory poses as the control groups. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { applyDefaultMemoryLimit, type Floor, keepFloor, memoryFilesV2 } from './floor.ts';

const GiB = 1024 ** 3;
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-floor-'));
  mkdirSync(join(root, 'above/all'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, text: string) => writeFileSync(join(root, path), text);
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const keep = (floor: Floor = {}, memoryBytes = 16 * GiB) =>
  keepFloor(floor, { memoryBytes, processes: 32_768 })(join(root, 'above/all'));

test('v2: an eighth is left of the memory, at most 8 GiB, and of the processes', () => {
  write('above/all/memory.max', 'max');
  write('above/all/pids.max', 'max');
  keep();
  assert.equal(read('above/all/memory.max'), String(14 * GiB));
  assert.equal(read('above/all/pids.max'), String(32_768 - 4096));
  keep({}, 256 * GiB);
  assert.equal(read('above/all/memory.max'), String(248 * GiB));
});

test('v2: what counts is the least that the groups above have', () => {
  write('above/memory.max', String(8 * GiB));
  write('above/pids.max', '800');
  write('above/all/memory.max', 'max');
  write('above/all/pids.max', 'max');
  keep();
  assert.equal(read('above/all/memory.max'), String(7 * GiB));
  assert.equal(read('above/all/pids.max'), '700');
});

test('v1: the same, by the figure that the kernel has for all groups above', () => {
  write('above/memory.stat', `cache 1\nhierarchical_memory_limit ${4 * GiB}\n`);
  write('above/all/memory.limit_in_bytes', '9223372036854771712');
  keep();
  assert.equal(read('above/all/memory.limit_in_bytes'), String(3.5 * GiB));
  write('above/memory.stat', 'hierarchical_memory_limit 9223372036854771712\n');
  keep();
  assert.equal(read('above/all/memory.limit_in_bytes'), String(14 * GiB));
});

test('asked for, it is that; none is none; containers keep an eighth whatever is asked', () => {
  write('above/all/memory.max', 'max');
  keep({ memoryBytes: GiB });
  assert.equal(read('above/all/memory.max'), String(15 * GiB));
  keep({ memoryBytes: 0 });
  assert.equal(read('above/all/memory.max'), 'max');
  keep({ memoryBytes: 64 * GiB });
  assert.equal(read('above/all/memory.max'), String(2 * GiB));
});

test('a limit below what is used already is not set', () => {
  write('above/all/memory.max', 'max');
  write('above/all/memory.current', String(15 * GiB));
  keep();
  assert.equal(read('above/all/memory.max'), 'max');
});

test('a container without a limit of its own has seven eighths, unless it uses more already', () => {
  mkdirSync(join(root, 'above/all/one'));
  write('above/all/memory.max', String(32 * GiB));
  write('above/all/one/memory.max', 'max');
  const one = join(root, 'above/all/one');
  applyDefaultMemoryLimit(one, memoryFilesV2);
  assert.equal(read('above/all/one/memory.max'), String(28 * GiB));
  write('above/all/one/memory.max', 'max');
  write('above/all/one/memory.current', String(30 * GiB));
  applyDefaultMemoryLimit(one, memoryFilesV2);
  assert.equal(read('above/all/one/memory.max'), 'max');
});
