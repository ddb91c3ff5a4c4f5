import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callIntentions, isAsMeant } from './calls.ts';
import { compare, type Finding, type Outcome, parseLine, type Row } from './finding.ts';
import { reviewed } from './reviewed.ts';
import { counts, table } from './table.ts';

const finding = (probe: string, outcome: Outcome, detail = '', group = 'files'): Finding => ({
  group,
  probe,
  outcome,
  detail,
});

test('verdicts: open on one side only is stronger or weaker, whatever the detail', () => {
  const rows = compare(
    [finding('a', 'open'), finding('b', 'held', 'EPERM'), finding('c', 'open', 'x')],
    [finding('a', 'held'), finding('b', 'open'), finding('c', 'open', 'y')],
  );
  assert.deepEqual(
    rows.map(({ probe, verdict }) => [probe, verdict]),
    [
      ['a', 'WEAKER'],
      ['b', 'stronger'],
      ['c', 'equal'],
    ],
  );
});

test('verdicts: what a sweep names on one side only is held on the other', () => {
  const rows = compare(
    [finding('writable /proc/x', 'open')],
    [finding('writable /proc/y', 'open')],
  );
  assert.deepEqual(
    rows.map(({ verdict }) => verdict),
    ['WEAKER', 'stronger'],
  );
});

test('verdicts: there is none with one engine', () => {
  assert.equal(compare([finding('a', 'open')], undefined)[0]?.verdict, undefined);
});

test('a line that is none of the probes’ is an error', () => {
  assert.deepEqual(parseLine('files', 'user: ', 'read x\topen\twhy'), {
    ...finding('user: read x', 'open', 'why'),
  });
  assert.throws(() => parseLine('files', '', 'exec /probe: no such file'), /exec \/probe/);
});

test('a call that is passed by filters reaches a kernel that has it, and is refused where there is none', {
  skip: process.arch === 'x64' ? false : 'the reviewed list is of x64',
}, () => {
  const uprobe = callIntentions().get(336) ?? 'refused';
  assert.ok(isAsMeant('reached', uprobe, 'reached'));
  assert.ok(isAsMeant('refused', uprobe, 'missing'));
  assert.ok(!isAsMeant('refused', uprobe, 'reached'));
  assert.ok(!isAsMeant('reached', uprobe, 'missing'));
  const read = callIntentions().get(0) ?? 'refused';
  assert.ok(!isAsMeant('refused', read, 'missing'));
});

test('only a call that the peer does not know yet counts as reviewed', () => {
  const [young, same] = ['missing by the filter', 'refused by the filter'].map((detail) => ({
    group: 'calls',
    probe: 'native 462 mseal',
    corten: finding('', 'open'),
    dockerd: finding('', 'held', detail),
    verdict: 'WEAKER' as const,
  }));
  const asRoot = { withoutRoot: false };
  assert.ok(young && reviewed(young, asRoot));
  assert.ok(same && !reviewed(same, asRoot));
  assert.ok(young && !reviewed({ ...young, probe: 'native 321 bpf' }, asRoot));
});

test('the table folds a whole way into the kernel, and counts what is open in both', () => {
  const calls = [1, 2, 3].map((number) => `int80 ${number}`);
  const rows = compare(
    [...calls.map((probe) => finding(probe, 'held', '', 'calls')), finding('a', 'open')],
    [...calls.map((probe) => finding(probe, 'open', '', 'calls')), finding('a', 'open')],
  );
  assert.match(table(rows, false), /\| calls \| int80: 3 calls \| held \| open \| stronger \|$/);
  assert.equal(table(rows, true).split('\n').length, 2 + 4);
  assert.match(counts(rows), /\| all \| 4 \| 1 \| 3 \| 0 \| 0 \| 1 \|$/);
});

test('the machine’s null in sight is meant without root, another device or with root is not', () => {
  const row = (detail: string): Row => {
    const finding = { group: 'mounts', probe: 'mounts of the machine in sight', detail };
    const corten: Finding = { ...finding, outcome: 'open' };
    return { ...finding, corten, dockerd: undefined, verdict: 'WEAKER' };
  };
  const bound = row('/dev/null of type devtmpfs');
  assert.equal(reviewed(bound, { withoutRoot: true }), true);
  assert.equal(reviewed(bound, { withoutRoot: false }), false);
  assert.equal(reviewed(row('/dev/sda of type devtmpfs'), { withoutRoot: true }), false);
});
