/** Where in a container's group one more process of it goes. */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';
import type { Place } from './cgroup.ts';
import { readControlIfAny } from './control-file.ts';
import { processesIn, subtree } from './processes.ts';

/**
 * On v2. A group that hands controllers down takes no process itself (EBUSY, "No Internal Process Constraint"
 * in cgroup-v2.rst), as that of a container whose first program is systemd: there it goes to where
 * that program is.
 */
export function placeOnV2(directory: string, { below, beside }: Place): string {
  if (below !== undefined) return directoryBelow(directory, below);
  const handsDown = Boolean(readControlIfAny(directory, 'cgroup.subtree_control')?.trim());
  if (beside === undefined || !handsDown) return directory;
  return subtree(directory).find((group) => processesIn(group).includes(beside)) ?? directory;
}

/** Throws invalid for a way out. The kernel has no links there. */
export function directoryBelow(directory: string, below: string): string {
  const path = posix.normalize(below.replace(/^\/+/, ''));
  if (/^\.\.(\/|$)/.test(path) || below.includes('\0'))
    throw invalid(`"${below}" is not below the container's control group`);
  return posix.join(directory, path);
}
