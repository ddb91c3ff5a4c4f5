/**
 * Key in the idle queue for the clean-up of an ended container: its root mount, cgroup and run
 * directory.
 */
export const cleanupKey = (id: string) => `clean up ${id}`;
