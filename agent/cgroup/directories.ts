/** Making and removing the directories that are groups. */
import { mkdirSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { childrenOf, processesBelow } from './processes.ts';

/** Names become directories, so they are kept to what can only be one component. */
export function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name))
    throw invalid(`"${name}" is no name for a control group: use letters, digits, _ . and -`);
}

/**
 * Where a driver's groups lie: one group of its own, or, for callers that were told where
 * (agent/oci), the names on the way there; none of them is the hierarchy's root. Throws invalid.
 */
export type GroupParent = string | readonly string[];

export function parentPath(parent: GroupParent): string {
  if (typeof parent === 'string') {
    checkName(parent);
    return parent;
  }
  for (const name of parent)
    if (!/^[^\0\n/]{1,255}$/.test(name) || name === '.' || name === '..')
      throw invalid(`"${name}" is no name for a control group`);
  return parent.join('/');
}

/** A group below a hierarchy's mount. */
export function groupPath(mount: string, ...names: readonly string[]): string {
  return [mount, ...names.filter((name) => name !== '')].join('/');
}

/**
 * Makes one group. One of the same name that a crash left behind is replaced, unless something still
 * runs in it. Where callers name groups it may be theirs: then it is taken as it is (`keeps`).
 */
export function makeGroup(directory: string, keeps = false): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    const isFree = keeps ? processesBelow(directory).length === 0 : removeAtOnce(directory);
    if (!isFree)
      throw conflict(
        `The control group ${directory} is in use by processes ${processesBelow(directory).join(', ') || 'that are ending'}.`,
        error,
      );
    if (!keeps) mkdirSync(directory);
  }
}

/** Removes a cgroup and those below it if they have no processes. Returns whether it is gone. */
export function removeAtOnce(directory: string): boolean {
  if (removeEmpty(directory)) return true;
  const children = childrenOf(directory);
  for (const child of children) removeAtOnce(`${directory}/${child}`);
  return children.length > 0 && removeEmpty(directory);
}

/** Returns false when processes are inside. */
export function removeEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}

const longestPauseMs = 100;
const patienceMs = 5000;

/**
 * Removes a group whose processes have been killed. The kernel keeps it busy (EBUSY) until the last
 * of them has been reaped, which takes a moment.
 */
export async function removeGroups(directories: readonly string[]): Promise<void> {
  const deadline = Date.now() + patienceMs;
  let left = directories;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    left = left.filter((directory) => !removeAtOnce(directory));
    const [first] = left;
    if (first === undefined) return;
    if (Date.now() > deadline)
      throw conflict(
        `The control group ${first} cannot be removed: processes ${processesBelow(first).join(', ') || '(unknown)'} are still in it.`,
      );
    await sleep(pauseMs);
  }
}
