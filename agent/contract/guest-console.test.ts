import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { guestStages, readConsoleLine } from './guest-console.ts';

test('stages, failures, the agent and a panic are told apart from the kernel’s own words', () => {
  assert.deepEqual(readConsoleLine('corten: stage data-disk 4.52\r'), {
    kind: 'stage',
    stage: 'data-disk',
    seconds: 4.52,
  });
  assert.deepEqual(readConsoleLine('corten: failed data-disk not-blank: The disk: it is full.'), {
    kind: 'failed',
    stage: 'data-disk',
    cause: 'not-blank',
    sentence: 'The disk: it is full.',
  });
  assert.deepEqual(readConsoleLine('corten: repaired data-disk-repair: It is whole again.'), {
    kind: 'repaired',
    stage: 'data-disk-repair',
    sentence: 'It is whole again.',
  });
  assert.deepEqual(readConsoleLine('{"event":"ready","socket":"/x"}'), { kind: 'ready' });
  assert.deepEqual(readConsoleLine('corten: agent-ended 1'), { kind: 'agent-ended', status: 1 });
  assert.deepEqual(readConsoleLine('[ 1.2] Kernel panic - not syncing: VFS: no root'), {
    kind: 'panic',
    sentence: 'VFS: no root',
  });
  assert.equal(readConsoleLine('[ 1.2] virtio_blk virtio1: [vda] 1 blocks'), undefined);
  assert.equal(readConsoleLine('corten: stage unheard-of 1'), undefined);
});

test('the guest’s scripts name no stage that is not in the list', () => {
  const directory = join(import.meta.dirname, '../../packaging/vm-image/guest');
  const names = ['initrd-init', 'boot', 'data-disk', 'agent', 'shutdown'].flatMap((file) => {
    const text = readFileSync(join(directory, file), 'utf8');
    return [...text.matchAll(/^ *(?:stage |current=)([a-z-]+)$/gm)].map(([, name]) => name);
  });
  assert.deepEqual([...new Set(names)].sort(), guestStages.toSorted());
});
