/** A snapshot's files as one tree, which only this process sees and which ends with its descriptor. */
import { openDirectory } from '../../kernel/files.ts';
import { MountAttribute, newFilesystem } from '../../kernel/mount.ts';
import { lowersOf, type Snapshot } from './snapshot.ts';

const { noSuid, noDev, noExec, readOnly } = MountAttribute;

/**
 * A descriptor of the tree's root, which the caller closes; undefined for the empty tree. Paths in it have to be resolved
 * with openat2's RESOLVE_IN_ROOT, as `openInRoot` does.
 */
export function openTree(snapshot: Snapshot): number | undefined {
  const lowers = lowersOf(snapshot);
  const [only] = lowers;
  if (only === undefined) return undefined;
  // An overlay without an upper layer needs two lowers at least.
  if (lowers.length === 1) return openDirectory(only);
  return newFilesystem(
    'overlay',
    lowers.map((lower) => ['lowerdir+', lower] as const),
    noSuid | noDev | noExec | readOnly,
  );
}
