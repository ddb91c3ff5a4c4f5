import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import { checkLimits, withSwapDefault } from './limit-checks.ts';

const mebibyte = 1024 * 1024;
const refuses = (limits: Limits, words: RegExp) =>
  assert.throws(() => checkLimits(limits, () => 2), { kind: 'invalid', message: words });

test('limits that make no sense are refused in dockerd’s words', () => {
  refuses({ memory: { maxBytes: 1 } }, /Minimum memory limit allowed is 6MB/);
  refuses({ memory: { maxBytes: 10 * mebibyte, maxWithSwapBytes: mebibyte } }, /memoryswap limit/);
  refuses({ memory: { maxWithSwapBytes: 10 * mebibyte } }, /always set the Memory limit/);
  refuses(
    { memory: { maxBytes: 10 * mebibyte, reservationBytes: 20 * mebibyte } },
    /memory reservation limit/,
  );
  refuses({ cpu: { quotaMicros: 300_000 } }, /Range of CPUs is from 0.01 to 2.00/);
  refuses({ cpu: { quotaMicros: 10 } }, /cfs quota/);
  refuses({ cpu: { periodMicros: 10 } }, /cfs period/);
  refuses({ cpu: { cpus: '0-7' } }, /Requested CPUs are not available.*available: 0-1/);
  refuses({ cpu: { cpus: '2-1' } }, /write a list such as/);
  refuses({ cpu: { shares: 1 } }, /minimum allowed cpu-shares is 2/);
  refuses({ cpu: { shares: 262_145 } }, /maximum allowed cpu-shares is 262144/);
  refuses({ io: { weight: 5 } }, /blkio weight/);
  refuses({ pids: -5 }, /process limit/);
  refuses({ cpu: { quotaMicros: 10_000, burstMicros: 20_000 } }, /burst .* larger than the quota/);
  refuses({ memory: { maxBytes: 8 * mebibyte, highBytes: 9 * mebibyte } }, /high mark/);
});

test('limits that make sense pass, and none at all too', () => {
  // Nobody is asked how many processors there are.
  checkLimits({ memory: { maxBytes: 64 * 1024 * 1024 } }, () => assert.fail());
  checkLimits({}, () => 2);
  checkLimits(
    {
      cpu: { quotaMicros: 150_000, cpus: '0-1', mems: '0' },
      memory: { maxBytes: 6 * mebibyte, maxWithSwapBytes: -1 },
      pids: 10,
    },
    () => 2,
  );
});

test('a memory limit alone allows as much swap again', () => {
  assert.equal(withSwapDefault({ memory: { maxBytes: 100 } }).memory?.maxWithSwapBytes, 200);
  const given = { memory: { maxBytes: 100, maxWithSwapBytes: 100 } };
  assert.deepEqual(withSwapDefault(given), given);
});
