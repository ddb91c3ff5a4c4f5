/** What the runtime puts into every container for its mounts; no change that anybody made. */
export const runtimeFiles = [
  '/dev',
  '/proc',
  '/sys',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/.dockerenv',
];
