/** Flags of open(2), which are the same on amd64 and arm64, and the rights that they need. */
import { May } from './access.ts';
import type { Node } from './node-table.ts';
import { isWatched } from './share-context.ts';

export const O_ACCMODE = 3;
export const O_WRONLY = 1;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_DSYNC = 0o10000;

export function rightsOf(flags: number): number {
  const execFlag = 0o40;
  if ((flags & execFlag) !== 0) return May.execute;
  const access = flags & O_ACCMODE;
  const rights = access === O_WRONLY ? May.write : access === 0 ? May.read : May.read | May.write;
  return rights | ((flags & O_TRUNC) !== 0 ? May.write : 0);
}

/** Whether opening may be deferred: the file was readable and has not changed, so the kernel may have all of it. */
export function mayOpenLater(node: Node, flags: number): boolean {
  return (
    (flags & (O_ACCMODE | O_TRUNC)) === 0 &&
    node.readableAt >= node.changedAt &&
    node.staleTells === 0 &&
    isWatched(node.stat)
  );
}
