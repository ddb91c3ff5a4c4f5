/** Handing v2 controllers down to the groups below a directory. */
import { mkdirSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import { readControl, readControlIfAny, writeControl } from './control-file.ts';
import { groupPath } from './directories.ts';

/** The leaf for processes that prevent delegation. It lies beside the containers' parent. */
export const leafName = 'corten-init';

/**
 * Delegates controllers from the hierarchy's root down to the children of `parent`, which is made
 * if missing.
 */
export function delegateTo(mount: string, parent: string, controllers: readonly string[]): void {
  let directory = mount;
  delegate(directory, controllers);
  for (const component of parent.split('/').filter(Boolean)) {
    directory = groupPath(directory, component);
    mkdirSync(directory, { recursive: true });
    delegate(directory, controllers);
  }
}

/**
 * Turns controllers on for the children of `directory`. A group that has processes may not
 * (EBUSY, "No Internal Process Constraint" in cgroup-v2.rst); the machine's real root is exempt, but
 * the root that a container sees is not. There its processes move to a leaf beside.
 */
export function delegate(directory: string, controllers: readonly string[]): void {
  const enabled = (readControlIfAny(directory, 'cgroup.subtree_control') ?? '').split(/\s+/);
  const missing = controllers.filter((name) => !enabled.includes(name));
  if (missing.length === 0) return;
  const value = missing.map((name) => `+${name}`).join(' ');
  try {
    writeControl(directory, 'cgroup.subtree_control', value);
  } catch (error) {
    if (!hasErrno(error, 'EBUSY')) throw error;
    moveToLeaf(directory);
    writeControl(directory, 'cgroup.subtree_control', value);
  }
}

function moveToLeaf(directory: string): void {
  const leaf = `${directory}/${leafName}`;
  mkdirSync(leaf, { recursive: true });
  for (const pid of readControl(directory, 'cgroup.procs').split('\n').filter(Boolean)) {
    try {
      writeControl(leaf, 'cgroup.procs', pid);
    } catch (error) {
      // It ended on the way.
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}
