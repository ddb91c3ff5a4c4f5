import assert from 'node:assert/strict';
import { test } from 'node:test';
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
    report: () => {},
    everyMs: 1,
  });
  while (told.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
  zone = 'Asia/Tokyo';
  while (told.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  watch.close();
  assert.deepEqual(told, ['Europe/Berlin', 'Asia/Tokyo']);
});
