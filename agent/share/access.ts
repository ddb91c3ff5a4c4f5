/**
 * Who may do what. The kernel leaves it to us (no default_permissions), because one file is shown to
 * each user as their own. What the person's own account may do on the host is decided there.
 */
import type { Question } from './fuse-wire.ts';
import type { Node } from './node-table.ts';
import type { ShareContext } from './share-context.ts';

export const May = { execute: 1, write: 2, read: 4 } as const;

export function mayAccess(
  share: ShareContext,
  { uid, gid }: Pick<Question, 'uid' | 'gid'>,
  node: Node,
  mask: number,
): boolean {
  const shown = share.owners.shown(node, { uid, gid });
  // CAP_DAC_OVERRIDE: all but executing what nobody may execute.
  if (uid === 0) return (mask & May.execute) === 0 || (shown.mode & 0o170111) !== 0o100000;
  const shift = shown.uid === uid ? 6 : shown.gid === gid ? 3 : 0;
  return (mask & ~(shown.mode >> shift) & 7) === 0;
}
