import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floorsBroken, mergeRounds, type Row, ratio, table } from './table.ts';

const enough = { memory: 0.5, pids: 0.4, disk: 0.3, inodes: 0.2, files: 0.9 };

function reading(ms: number, failures = 0) {
  return { neighbourMs: [ms], apiMs: [ms], neighbourFailures: failures, apiFailures: 0 };
}

function row(change: Partial<Row>): Row {
  return {
    noise: 'cpu',
    engine: 'corten',
    quiet: reading(2),
    loud: reading(3),
    least: enough,
    stoppedFor: undefined,
    recoveredS: 1.25,
    leftovers: [],
    ...change,
  };
}

test('ratio: the percentiles are compared, not the worst', () => {
  const quiet = Array.from({ length: 100 }, () => 2);
  const loud = [...Array.from({ length: 99 }, () => 6), 900];
  assert.equal(ratio(quiet, loud, 0.99), 3);
});

test('floors: what has less than a tenth left is named', () => {
  assert.deepEqual(floorsBroken(enough), []);
  assert.deepEqual(floorsBroken({ ...enough, disk: 0, memory: 0.09 }), ['memory 9 %', 'disk 0 %']);
});

test('table: a row within the goals', () => {
  assert.equal(
    table([row({})])
      .split('\n')
      .at(-1),
    '| cpu | corten | 3.0, 3.0 ms | 1.5 | 3.0, 3.0 ms | 1.5 | kept | 1.3 s |',
  );
});

test('table: a row that misses them says by what', () => {
  const bad = row({
    loud: reading(2000, 1),
    least: { ...enough, pids: -0.1 },
    stoppedFor: 'memory of the host',
    recoveredS: undefined,
    leftovers: ['group abc'],
  });
  assert.equal(
    table([bad]).split('\n').at(-1),
    '| cpu | corten | 2000.0, 2000.0 ms, 1 of 1 failed | **1000.0** | 2000.0, 2000.0 ms | **1000.0** | pids 0 %, stopped: memory of the host | **no**, left: group abc |',
  );
});

test('table: quiet is all quiet times of the engine, and of no other', () => {
  const rows = [
    row({ quiet: reading(2) }),
    row({ noise: 'io', quiet: reading(6), loud: reading(9) }),
    row({ engine: 'dockerd', quiet: reading(100) }),
  ];
  const lines = table(rows).split('\n');
  assert.equal(lines[2], '| none | corten | 2.0, 6.0 ms | | 2.0, 6.0 ms | | | |');
  assert.match(lines[5] ?? '', /^\| io \| corten \| 9.0, 9.0 ms \| 1.5 \|/);
});

test('rounds: all their requests count as one, and the worst of what was left and of the recovery', () => {
  const rows = [
    row({ loud: reading(3) }),
    row({ engine: 'dockerd' }),
    row({ loud: reading(5, 1), least: { ...enough, disk: 0 }, recoveredS: 4, leftovers: ['a'] }),
  ];
  const [corten, dockerd, ...more] = mergeRounds(rows);
  assert.deepEqual(corten, {
    ...row({}),
    quiet: { neighbourMs: [2, 2], apiMs: [2, 2], neighbourFailures: 0, apiFailures: 0 },
    loud: { neighbourMs: [3, 5], apiMs: [3, 5], neighbourFailures: 1, apiFailures: 0 },
    least: { ...enough, disk: 0 },
    recoveredS: 4,
    leftovers: ['a'],
  });
  assert.deepEqual([dockerd, more], [rows[1], []]);
  assert.equal(mergeRounds([row({}), row({ recoveredS: undefined })])[0]?.recoveredS, undefined);
});
