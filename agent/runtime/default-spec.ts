/**
 * Defaults of every container: mounts, device rules, and masked and read-only paths of procfs and
 * sysfs. The lists are Docker's (moby, daemon/pkg/oci).
 */
import { existsSync, readdirSync } from 'node:fs';
import type { OciDeviceRule, OciMount } from '../contract/oci-runtime.ts';

export const ociVersion = '1.2.1';

export const defaultShmBytes = 64 * 1024 * 1024;

/** In the order in which they are mounted. */
export function defaultMounts(shmBytes = defaultShmBytes): OciMount[] {
  const inert = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: inert },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      // gid 5 is tty in every distribution; mode 620 lets write(1) through and no reader.
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: inert },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...inert, 'mode=1777', `size=${shmBytes}`],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...inert, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...inert, 'ro'] },
  ];
}

/**
 * Any node may be made, because a node gives no access. Only harmless devices may be opened: null,
 * zero, full, random, urandom, tty, ptmx, and terminals of the container's own devpts.
 */
export const defaultDeviceRules: readonly OciDeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** These paths reveal or control the host, so they are masked. Missing paths are ignored. */
export function defaultMaskedPaths(cpus = '/sys/devices/system/cpu'): string[] {
  return [
    '/proc/acpi',
    '/proc/asound',
    // Root may switch kernel debug messages on here without any capability.
    '/proc/dynamic_debug',
    '/proc/interrupts',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/sched_debug',
    '/proc/scsi',
    '/proc/timer_list',
    '/proc/timer_stats',
    '/sys/firmware',
    '/sys/devices/virtual/powercap',
    ...throttleCounters(cpus),
  ];
}

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Each CPU's thermal events reveal what other containers compute (moby, GHSA-6fw5-f8r9-fgfm). */
function throttleCounters(cpus: string): string[] {
  return entriesOf(cpus)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${cpus}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path));
}

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Without sysfs there is nothing to mask.
    return [];
  }
}
