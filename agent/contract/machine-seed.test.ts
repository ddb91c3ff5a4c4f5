import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MachineSeed, readSeed, seedDisk, seedDiskBytes } from './machine-seed.ts';

const seed: MachineSeed = {
  version: 1,
  hostname: 'corten',
  hostKey: 'key',
  authorizedKeys: ['ssh-ed25519 AAAA'],
  timeZone: 'Europe/Berlin',
  agentArguments: ['--machine'],
};

test('what the host writes is what the guest reads', () => {
  const disk = seedDisk(seed);
  assert.equal(disk.length, seedDiskBytes);
  assert.deepEqual(readSeed(disk), seed);
  assert.throws(
    () => seedDisk({ ...seed, hostKey: 'x'.repeat(seedDiskBytes) }),
    /its disk has 65536/,
  );
});

for (const [what, change, message] of [
  ['another version', { version: 2 }, /version 2; this image reads version 1/],
  ['a name that is no host name', { hostname: 'a b' }, /no usable hostname/],
  ['no host key', { hostKey: '' }, /no host key/],
  ['keys that are no list', { authorizedKeys: 'x' }, /no list of authorized keys/],
  ['arguments that are no texts', { agentArguments: [1] }, /no list of texts/],
] as const)
  test(`a seed with ${what} is refused with the reason`, () => {
    const disk = Buffer.from(JSON.stringify({ ...seed, ...change }));
    assert.throws(() => readSeed(disk), message);
  });

test('a disk that holds no seed is refused', () => {
  assert.throws(() => readSeed(Buffer.alloc(seedDiskBytes)), /holds no JSON/);
});
