import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAge,
  formatBytes,
  formatCpuPercent,
  formatCpus,
  parseBytes,
  visibleText,
} from './format.ts';

test('bytes keep three digits or fewer and never say 1024', () => {
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(1023), '1023 B');
  assert.equal(formatBytes(1536), '1.5 KiB');
  assert.equal(formatBytes(256 * 1024 ** 2), '256 MiB');
  assert.equal(formatBytes(1024 ** 2 - 1), '1 MiB');
});

test('ages take the largest whole unit', () => {
  assert.equal(formatAge(999), '0 s');
  assert.equal(formatAge(59_999), '59 s');
  assert.equal(formatAge(60_000), '1 min');
  assert.equal(formatAge(49 * 3_600_000), '2 d');
  assert.equal(formatAge(-5), '0 s');
});

test('CPU is a percentage of one CPU', () => {
  assert.equal(formatCpuPercent(0.0312), '3.1%');
  assert.equal(formatCpuPercent(1.5), '150%');
});

test('where it is limited it is told as limits are set', () => {
  assert.equal(formatCpus(0.384), '0.38 CPUs');
  assert.equal(formatCpus(2), '2.00 CPUs');
});

test('bytes are read as people write them, and nothing else is', () => {
  assert.equal(parseBytes('512m', 'b'), 512 * 1024 ** 2);
  assert.equal(parseBytes('1.5 GiB', 'b'), 1.5 * 1024 ** 3);
  assert.equal(parseBytes('64', 'm'), 64 * 1024 ** 2);
  assert.equal(parseBytes('64', 'b'), 64);
  for (const wrong of ['', 'lots', '-1', '1 1', '5 q'])
    assert.equal(parseBytes(wrong, 'm'), undefined, wrong);
});

test('text that a container chose shows what it is', () => {
  assert.equal(visibleText('nginx: worker (größe) 日本'), 'nginx: worker (größe) 日本');
  assert.equal(visibleText('a\nb\tc\rd'), 'a\\nb\\tc\\rd');
  assert.equal(
    visibleText('\u001b[31mred\u202egnp\u200b\u2028'),
    '\\u001b[31mred\\u202egnp\\u200b\\u2028',
  );
});
