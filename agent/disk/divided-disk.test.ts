import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiskDriver } from './disk.ts';
import { DividedDisk } from './divided-disk.ts';

test('new spaces are made within, and each is its own driver’s', async () => {
  const told: string[] = [];
  const driver = (name: string) =>
    new Proxy({ kind: name, freeOfCost: name === 'ext4-quota' } as unknown as DiskDriver, {
      get: (known, call: string) =>
        Reflect.get(known, call) ?? ((space: unknown) => told.push(`${name} ${call} ${space}`)),
    });
  const disk = new DividedDisk('/root/layers', driver('ext4-quota'), driver('loop'));
  assert.deepEqual([disk.kind, disk.freeOfCost, disk.amongLayers], ['ext4-quota', true, true]);
  const [own, other] = ['/root/layers/one/disk', '/root/containers/one/disk'];
  for (const space of [own, other]) {
    disk.open(space, {});
    disk.attach(space, {});
    disk.detach(space);
    disk.check(space, {}, {});
    disk.update(space, {}, {});
    disk.usage(space, {});
    await disk.remove(space);
  }
  const calls = ['open', 'attach', 'detach', 'check', 'update', 'usage', 'remove'];
  assert.deepEqual(told.splice(0), [
    ...calls.map((call) => `ext4-quota ${call} ${own}`),
    ...calls.map((call) => `loop ${call} ${other}`),
  ]);
  await disk.prepare({}, []);
  disk.close();
  assert.deepEqual(told, ['ext4-quota prepare [object Object]', 'ext4-quota close undefined']);
});
