/** Where an additional process goes inside a container's cgroup. */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';
import type { Place } from './cgroup.ts';
import { readControlIfAny } from './control-file.ts';
import { processesIn, subtree } from './processes.ts';

/**
 * On v2 a cgroup that delegates controllers takes no processes itself (EBUSY, "No Internal Process
 * Constraint" in cgroup-v2.rst), as in a container that runs systemd. A process then goes where
 * that container's init is.
 */
export function placeOnV2(directory: string, { below, beside }: Place): string {
  if (below !== undefined) return directoryBelow(directory, below);
  const handsDown = Boolean(readControlIfAny(directory, 'cgroup.subtree_control')?.trim());
  if (beside === undefined || !handsDown) return directory;
  return subtree(directory).find((group) => processesIn(group).includes(beside)) ?? directory;
}

/** Throws invalid for a path that leaves the cgroup. The kernel has no links there. */
export function directoryBelow(directory: string, below: string): string {
  const path = posix.normalize(below.replace(/^\/+/, ''));
  if (/^\.\.(\/|$)/.test(path) || below.includes('\0'))
    throw invalid(`"${below}" is not below the container's control group`);
  return posix.join(directory, path);
}
