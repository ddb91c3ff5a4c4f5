import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import {
  joinRdtPlace,
  makeRdtPlace,
  readIntelRdt,
  removeRdtPlace,
  resctrlRoot,
} from './intel-rdt.ts';
import { JsonReader } from './json-reader.ts';

/** A folder poses as resctrl: it has no files of its own, so what is written is there to be read. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-resctrl-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const contentOf = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

test('a class is made by the container’s name, its process is in it, and it goes with the container', () => {
  const place = makeRdtPlace(root, { l3CacheSchema: 'L3:0=f;1=f\n' }, 'web');
  assert.equal(contentOf('web', 'schemata'), 'L3:0=f;1=f\n');
  joinRdtPlace(place, 77);
  assert.equal(contentOf('web', 'tasks'), '77');
  // As resctrl, whose directories go with their files.
  for (const name of ['schemata', 'tasks']) rmSync(join(root, 'web', name));
  removeRdtPlace(place);
  assert.equal(existsSync(join(root, 'web')), false);
});

test('a class that is there stays, and has to be what is asked for', () => {
  mkdirSync(join(root, 'gold', 'mon_groups'), { recursive: true });
  writeFileSync(join(root, 'gold', 'schemata'), '    MB:0=50\n    L3:0=ff\n');
  const asked = { closID: 'gold', memBwSchema: 'MB:0=50', enableCMT: true };
  const place = makeRdtPlace(root, asked, 'web');
  joinRdtPlace(place, 78);
  assert.equal(contentOf('gold', 'tasks'), '78');
  assert.equal(contentOf('gold', 'mon_groups', 'web', 'tasks'), '78');
  rmSync(join(root, 'gold', 'mon_groups', 'web', 'tasks'));
  removeRdtPlace(place);
  assert.equal(existsSync(join(root, 'gold', 'mon_groups', 'web')), false);
  assert.ok(existsSync(join(root, 'gold')));
  const other = { closID: 'gold', memBwSchema: 'MB:0=60' };
  assert.throws(() => makeRdtPlace(root, other, 'web'), /without MB:0=60/);
});

test('without resctrl it is an error, and so is a name that is no class', () => {
  assert.throws(() => resctrlRoot(''), /needs a mounted resctrl/);
  const line = '40 30 0:45 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw\n';
  assert.equal(resctrlRoot(line), '/sys/fs/resctrl');
  const read = (closID: string) => readIntelRdt(new JsonReader({ closID }, 'intelRdt'));
  assert.equal(read('gold')?.closID, 'gold');
  for (const wrong of ['', '.', '..', 'a/b', 'info', 'mon_groups'])
    assert.throws(() => read(wrong), /no name of a class/, wrong);
});
