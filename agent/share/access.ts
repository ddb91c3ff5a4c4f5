/**
 * Permission checks. The kernel leaves them to the agent (no default_permissions), because each user sees a file as
 * their own. The host itself enforces what the host's user may do.
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
  // CAP_DAC_OVERRIDE allows everything except executing a file that nobody may execute.
  if (uid === 0) return (mask & May.execute) === 0 || (shown.mode & 0o170111) !== 0o100000;
  const shift = shown.uid === uid ? 6 : shown.gid === gid ? 3 : 0;
  return (mask & ~(shown.mode >> shift) & 7) === 0;
}
