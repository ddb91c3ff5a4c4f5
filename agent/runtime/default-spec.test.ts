/** The lists as a whole: which of them a kernel has differs, so that no container shows them all. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  defaultDeviceRules,
  defaultMaskedPaths,
  defaultMounts,
  defaultReadonlyPaths,
} from './default-spec.ts';

test('hidden: what Docker hides, each CPU’s heat, and the switches of the kernel’s messages', (t) => {
  // Not every machine's processors tell of their heat.
  const cpus = mkdtempSync(join(tmpdir(), 'corten-cpus-'));
  t.after(() => rmSync(cpus, { recursive: true }));
  for (const path of ['cpu0/thermal_throttle', 'cpu11/thermal_throttle', 'cpu2', 'cpufreq'])
    mkdirSync(join(cpus, path), { recursive: true });
  assert.deepEqual(
    defaultMaskedPaths(cpus)
      .filter((path) => path.startsWith(cpus))
      .sort(),
    ['cpu0', 'cpu11'].map((name) => join(cpus, name, 'thermal_throttle')),
  );
  const perCpu = /^\/sys\/devices\/system\/cpu\/cpu\d+\/thermal_throttle$/;
  const paths = defaultMaskedPaths().filter((path) => !perCpu.test(path));
  const proc =
    'acpi asound dynamic_debug interrupts kcore keys latency_stats sched_debug scsi timer_list';
  assert.deepEqual(paths.sort(), [
    ...`${proc} timer_stats`.split(' ').map((name) => `/proc/${name}`),
    '/sys/devices/virtual/powercap',
    '/sys/firmware',
  ]);
});

test('read-only: what Docker makes read-only', () => {
  assert.deepEqual(
    [...defaultReadonlyPaths].sort(),
    ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
  );
});

test('devices: any may be made, and only the harmless opened', () => {
  const opened = defaultDeviceRules.filter(({ access }) => /[rw]/.test(access ?? 'rwm'));
  assert.deepEqual(
    opened.map(({ type, major, minor }) => `${type} ${major}:${minor ?? '*'}`),
    ['c 1:3', 'c 1:5', 'c 1:7', 'c 1:8', 'c 1:9', 'c 5:0', 'c 5:2', 'c 136:*'],
  );
  assert.ok(defaultDeviceRules.every(({ allow }) => allow));
});

test('mounts: none is without nosuid, and only /dev and its terminals let devices be opened', () => {
  for (const { destination, options = [] } of defaultMounts()) {
    assert.ok(options.includes('nosuid'), destination);
    const hasDevices = ['/dev', '/dev/pts'].includes(destination);
    assert.equal(options.includes('nodev'), !hasDevices, destination);
    assert.equal(options.includes('noexec'), destination !== '/dev', destination);
    assert.equal(options.includes('ro'), destination.startsWith('/sys'), destination);
  }
});
