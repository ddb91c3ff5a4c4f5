/** Making and removing the directories that are groups. */
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { processesBelow, subtree } from './processes.ts';

/** Names become directories, so they are kept to what can only be one component. */
export function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name))
    throw invalid(`"${name}" is no name for a control group: use letters, digits, _ . and -`);
}

/**
 * Makes one group. One of the same name that a crash left behind is replaced, unless something
 * still runs in it.
 */
export function makeGroup(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    removeAtOnce(directory);
    if (existsSync(directory))
      throw conflict(
        `The control group ${directory} is in use by processes ${processesBelow(directory).join(', ') || 'that are ending'}.`,
        error,
      );
    mkdirSync(directory);
  }
}

/** What goes at once goes; for undoing a group in which nothing has run yet. */
export function removeAtOnce(directory: string): void {
  for (const group of subtree(directory)) {
    try {
      rmdirSync(group);
    } catch (error) {
      // EBUSY: something is inside, and the caller looks whether the directory is still there.
      if (!hasErrno(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY')) throw error;
    }
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
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    for (const directory of directories) removeAtOnce(directory);
    const left = directories.filter((directory) => existsSync(directory));
    const [first] = left;
    if (first === undefined) return;
    if (Date.now() > deadline)
      throw conflict(
        `The control group ${first} cannot be removed: processes ${processesBelow(first).join(', ') || '(unknown)'} are still in it.`,
      );
    await sleep(pauseMs);
  }
}
