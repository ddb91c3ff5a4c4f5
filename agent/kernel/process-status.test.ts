import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { idInside, parseIdMap, parseStatus } from './process-status.ts';
import { idOutside } from './user-namespaces.ts';

const status = [
  // The kernel's escape of the name "x\nCapBnd:\t000001ffffffffff".
  'Name:\tx\\nCapBnd:\\t0000',
  'Uid:\t1000\t1001\t1000\t1000',
  'Gid:\t100\t101\t100\t100',
  'Groups:\t4 24 ',
  'CapInh:\t0000000000000000',
  'CapPrm:\t00000000a80425fb',
  'CapEff:\t00000000a80425fb',
  'CapBnd:\t000001ffffffffff',
  'CapAmb:\t0000000000000400',
  'NoNewPrivs:\t1',
  'Seccomp:\t2',
  'Seccomp_filters:\t3',
].join('\n');

test('ids, groups, capability sets, no_new_privs and seccomp', () => {
  assert.deepEqual(parseStatus(status), {
    uid: 1001,
    gid: 101,
    groups: [4, 24],
    capabilities: {
      inheritable: 0n,
      permitted: 0xa80425fbn,
      effective: 0xa80425fbn,
      bounding: 0x1ffffffffffn,
      ambient: 0x400n,
    },
    noNewPrivileges: true,
    seccomp: 'filter',
    seccompFilters: 3,
  });
});

test('no groups, no filter count, no filter', () => {
  const text = status
    .replace('4 24 ', '')
    .replace('Seccomp:\t2', 'Seccomp:\t0')
    .replace(/\nSeccomp_filters.*/, '');
  const { groups, seccomp, seccompFilters } = parseStatus(text);
  assert.deepEqual([groups, seccomp, seccompFilters], [[], 'none', undefined]);
});

test('what is missing is an error, not a guess', () => {
  for (const name of ['CapBnd', 'NoNewPrivs', 'Seccomp', 'Uid'])
    assert.throws(() => parseStatus(status.replace(`\n${name}:`, '\nOther:')), new RegExp(name));
});

test('our own process has what the kernel says', () => {
  const own = parseStatus(readFileSync('/proc/self/status', 'utf8'));
  assert.equal(own.uid, process.geteuid?.());
  assert.equal(own.gid, process.getegid?.());
});

test('maps of ids, and an id through them', () => {
  const map = parseIdMap('         0     100000      65536\n     65536          7          1\n');
  assert.deepEqual(map, [
    { inside: 0, outside: 100000, count: 65536 },
    { inside: 65536, outside: 7, count: 1 },
  ]);
  assert.deepEqual(
    [100000, 100033, 165535, 165536, 7, 8, 0].map((id) => idInside(map, id)),
    [0, 33, 65535, undefined, 65536, undefined, undefined],
  );
  assert.deepEqual(
    [0, 33, 65536, 65537].map((id) => idOutside(map, id)),
    [100000, 100033, 7, undefined],
  );
});
