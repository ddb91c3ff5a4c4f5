import assert from 'node:assert/strict';
import type { BigIntStats } from 'node:fs';
import { test } from 'node:test';
import { ChangeKind } from '../../../../agent/contract/share-wire.ts';
import type { Change } from './folder-watch.ts';
import { PendingChanges } from './pending-changes.ts';

const change = (kind: keyof typeof ChangeKind, path: string, size = 0): Change => ({
  kind: ChangeKind[kind],
  path,
  stats: { size: BigInt(size) } as BigIntStats,
});
const told = ({ changes, isLost }: ReturnType<PendingChanges['take']>) => ({
  changes: changes.map(({ kind, path, stats }) => [kind, path, Number(stats?.size)]),
  isLost,
});
const { created, modified, attributes, removed } = ChangeKind;

test('a file that is written again and again is one change, as it was last', () => {
  const unheard = new PendingChanges();
  for (let size = 0; size < 100; size++)
    unheard.add([change('modified', 'log', size), change('attributes', 'log', size)]);
  unheard.add([change('modified', 'other', 1)]);
  assert.deepEqual(told(unheard.take()), {
    changes: [
      [modified, 'log', 99],
      [attributes, 'log', 99],
      [modified, 'other', 1],
    ],
    isLost: false,
  });
  assert.deepEqual(told(unheard.take()), { changes: [], isLost: false });
});

test('what a name meant before it changed hands is kept apart from what it means after', () => {
  const unheard = new PendingChanges();
  unheard.add([
    change('modified', 'a', 1),
    change('removed', 'a', 1),
    change('created', 'a', 2),
    change('modified', 'a', 3),
    change('modified', 'a', 4),
  ]);
  assert.deepEqual(told(unheard.take()).changes, [
    [modified, 'a', 1],
    [removed, 'a', 1],
    [created, 'a', 2],
    [modified, 'a', 4],
  ]);
});

test('more than can be kept is nothing but the word that there was more, and then all is as before', () => {
  const unheard = new PendingChanges(2);
  unheard.add(['a', 'b', 'c', 'd'].map((path) => change('created', path)));
  assert.deepEqual(told(unheard.take()), { changes: [], isLost: true });
  unheard.add([change('created', 'e')]);
  assert.deepEqual(told(unheard.take()), { changes: [[created, 'e', 0]], isLost: false });
});
