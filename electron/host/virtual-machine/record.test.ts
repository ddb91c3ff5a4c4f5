import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { changedSettings, defaultSettings, readRecord, writeRecord } from './record.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-record-'));
after(() => rmSync(directory, { recursive: true }));
const settings = { ...defaultSettings(), cpus: 1, diskBytes: 64 * 1024 ** 3 };

test('what is not said stays, and what is unknown is left out', () => {
  const changed = changedSettings(settings, { pauseAfterMs: null, ...{ colour: 'rust' } });
  assert.deepEqual(changed, { ...settings, pauseAfterMs: null });
});

const refused: [string, Parameters<typeof changedSettings>[1], RegExp][] = [
  ['no processor', { cpus: 0 }, /processors here, not 0/],
  ['half of one', { cpus: 1.5 }, /not 1\.5/],
  ['more memory than there is', { memoryBytes: 2 ** 50 }, /memory can be 0\.5 GiB to/],
  ['hardly any memory', { memoryBytes: 1024 }, /memory can be/],
  ['a smaller disk', { diskBytes: 32 * 1024 ** 3 }, /has 64 GiB and can only become larger/],
  ['an endless disk', { diskBytes: 2 ** 52 }, /disk can be 64 GiB to 2048 GiB/],
  ['a pause at once', { pauseAfterMs: 1 }, /at least one second, or never/],
];
for (const [what, change, message] of refused)
  test(`${what} is refused`, () => {
    const [setting] = Object.keys(change);
    assert.throws(() => changedSettings(settings, change), {
      name: 'SettingRefused',
      setting,
      message,
    });
  });

test('a record is read back, is its owner’s alone, and has defaults for what is new', () => {
  const path = join(directory, 'machine.json');
  assert.deepEqual(readRecord(path, () => settings).settings, settings);
  writeRecord(path, { version: 1, settings: { ...settings, cpus: 2 }, images: { current: 'a' } });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const read = readRecord(path, () => settings);
  assert.equal(read.settings.cpus, 2);
  assert.deepEqual(read.images, { current: 'a' });
  writeFileSync(path, '{"version": 1, "settings": {"cpus": 3}}');
  assert.deepEqual(readRecord(path, () => settings).settings, { ...settings, cpus: 3 });
  writeFileSync(path, '{"version": 2}');
  assert.throws(() => readRecord(path, () => settings), {
    name: 'StageFailure',
    message: /version 2, and this app knows version 1/,
  });
});

test('the settings of a machine that was never started can be written', () => {
  const path = join(directory, 'new', 'machine.json');
  writeRecord(path, { version: 1, settings: { ...defaultSettings(), cpus: 1 }, images: {} });
  assert.equal(readRecord(path, defaultSettings).settings.cpus, 1);
});
