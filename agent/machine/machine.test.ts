import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createMachine } from './machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-machine-'));
after(() => rmSync(directory, { recursive: true }));

test('the clock is stepped when it is off by more than a tenth of a second', () => {
  const set: number[] = [];
  const machine = createMachine({ root: directory, setTime: (timeMs) => set.push(timeMs) });
  assert.equal(machine.setClock(Date.now()).stepped, false);
  const later = Date.now() + 3_600_000;
  const { offsetMs, stepped } = machine.setClock(later);
  assert.equal(stepped, true);
  assert.ok(Math.abs(offsetMs - 3_600_000) < 1000);
  machine.setClock(Date.now() - 5_000);
  assert.equal(set.length, 2);
  assert.equal(set[0], later);
});

test('a time zone must be in the database, and its name cannot lead to a file outside', () => {
  const zones = join(directory, 'zones');
  const etc = join(directory, 'etc');
  mkdirSync(join(zones, 'Europe'), { recursive: true });
  mkdirSync(etc);
  writeFileSync(join(zones, 'Europe/Berlin'), 'TZif2');
  writeFileSync(join(zones, 'README'), 'words');
  writeFileSync(join(directory, 'outside'), 'TZif2');
  const before = process.env.TZ;
  const machine = createMachine({ root: directory, zones, etc });
  machine.setTimeZone('Europe/Berlin');
  assert.equal(readlinkSync(join(etc, 'localtime')), join(zones, 'Europe/Berlin'));
  assert.equal(process.env.TZ, 'Europe/Berlin');
  for (const name of ['Europe/Nowhere', '../outside', 'README', '/etc/localtime', ''])
    assert.throws(() => machine.setTimeZone(name), { kind: 'invalid' });
  if (before === undefined) delete process.env.TZ;
  else process.env.TZ = before;
});

test('figures describe the memory and the disk that holds the root', () => {
  const figures = createMachine({ root: directory }).figures();
  assert.ok(figures.memoryUsedBytes > 0 && figures.memoryUsedBytes < figures.memoryTotalBytes);
  assert.ok(figures.diskUsedBytes <= figures.diskSizeBytes);
});
