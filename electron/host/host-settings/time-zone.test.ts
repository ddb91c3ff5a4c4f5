import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../agent/e2e/until.ts';
import { pauseListeners } from '../machine/testdata/pause-listeners.ts';
import { systemTimeZone, watchTimeZone, zoneOfPath } from './time-zone.ts';

test("the zone is the link's, and TZ's where that is one", () => {
  assert.equal(zoneOfPath('/usr/share/zoneinfo/Europe/Berlin'), 'Europe/Berlin');
  assert.equal(
    zoneOfPath('/var/db/timezone/zoneinfo/America/Argentina/Salta'),
    'America/Argentina/Salta',
  );
  assert.equal(zoneOfPath('/usr/share/zoneinfo.default/Asia/Tokyo'), 'Asia/Tokyo');
  assert.equal(zoneOfPath('/usr/share/zoneinfo/Nowhere/City'), undefined);
  assert.equal(zoneOfPath(undefined), undefined);
  assert.equal(systemTimeZone({ TZ: 'Europe/Lisbon' }), 'Europe/Lisbon');
  assert.notEqual(systemTimeZone({ TZ: '<-03>3' }), '<-03>3');
});

test('the machine is told at once and of each change, and again after it was away', async () => {
  const told: string[] = [];
  let zone = 'Europe/Berlin';
  let away = true;
  const watch = watchTimeZone({
    setter: {
      setTimeZone: async (name) => {
        if (away) {
          away = false;
          throw new Error('away');
        }
        told.push(name);
      },
    },
    read: () => zone,
    ...pauseListeners(),
    report: () => {},
    everyMs: 1,
  });
  await until(() => told.length >= 1);
  zone = 'Asia/Tokyo';
  await until(() => told.length >= 2);
  watch.close();
  assert.deepEqual(told, ['Europe/Berlin', 'Asia/Tokyo']);
});

test('a paused machine gets the zone when it resumes, and no failure is reported', async () => {
  const told: string[] = [];
  const { onPauseChange, setPaused } = pauseListeners();
  let zone = 'Europe/Berlin';
  let isPaused = false;
  const watch = watchTimeZone({
    setter: {
      setTimeZone: async (name) => {
        if (isPaused)
          throw new Error('The machine is paused, and is not resumed for a background request.');
        told.push(name);
      },
    },
    read: () => zone,
    onPauseChange,
    report: (what, error) => assert.fail(`${what}: ${error}`),
    everyMs: 1,
  });
  isPaused = true;
  setPaused(true);
  zone = 'Asia/Tokyo';
  await sleep(20);
  assert.deepEqual(told, ['Europe/Berlin']);
  isPaused = false;
  setPaused(false);
  assert.deepEqual(told, ['Europe/Berlin', 'Asia/Tokyo']);
  watch.close();
});
