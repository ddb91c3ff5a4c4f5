/** Files that the runtime makes in every container as mount targets, which are not changes. */
export const runtimeFiles = [
  '/dev',
  '/proc',
  '/sys',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/.dockerenv',
];
