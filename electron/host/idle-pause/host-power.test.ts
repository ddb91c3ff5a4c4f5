import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hostPower } from './host-power.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-power-'));
after(() => rmSync(directory, { recursive: true, force: true }));

type Supplies = Record<string, Record<string, string>>;

function put(supplies: Supplies): void {
  rmSync(directory, { recursive: true, force: true });
  for (const [name, files] of Object.entries(supplies)) {
    mkdirSync(join(directory, name), { recursive: true });
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(directory, name, file), `${text}\n`);
  }
}

const adapter = (online: '0' | '1') => ({ type: 'Mains', online });
const battery = (status: string) => ({ type: 'Battery', status });

const computers: [string, Supplies, boolean][] = [
  ['a desktop', {}, false],
  ['a laptop at its adapter', { AC: adapter('1'), BAT0: battery('Charging') }, false],
  ['a laptop that is unplugged', { AC: adapter('0'), BAT0: battery('Discharging') }, true],
  ['unplugged a moment ago', { AC: adapter('0'), BAT0: battery('Full') }, true],
  [
    'one that takes more than its adapter gives',
    { AC: adapter('1'), BAT0: battery('Discharging') },
    false,
  ],
  ['a battery alone, discharging', { BAT0: battery('Discharging') }, true],
  ['a battery alone, full', { BAT0: battery('Full') }, false],
  [
    'one of two batteries discharging',
    { BAT0: battery('Full'), BAT1: battery('Discharging') },
    true,
  ],
  [
    'a port without power beside an adapter that is not shown',
    { 'ucsi-source-psy-1': { type: 'USB', online: '0' }, BAT0: battery('Charging') },
    false,
  ],
  [
    'a port that gives power to it',
    { port: { type: 'USB', online: '1' }, BAT0: battery('Not charging') },
    false,
  ],
  [
    'a desktop with a mouse of its own battery',
    { mouse: { ...battery('Discharging'), scope: 'Device' } },
    false,
  ],
];
for (const [what, supplies, isOnBattery] of computers)
  test(`${what}: ${isOnBattery ? 'on battery' : 'plugged in'}`, () => {
    put(supplies);
    assert.equal(hostPower(directory).isOnBattery(), isOnBattery);
  });

test('what changes is seen when it is asked for again', () => {
  const power = hostPower(directory);
  put({ AC: adapter('1'), BAT0: battery('Full') });
  assert.equal(power.isOnBattery(), false);
  put({ AC: adapter('0'), BAT0: battery('Discharging') });
  assert.equal(power.isOnBattery(), true);
});

test('a system without such a directory', () => {
  assert.equal(hostPower('/nowhere').isOnBattery(), false);
});
