/** The state of the paths in `/proc` and `/sys` that reveal or reach the machine. */
import type { KernelPathFact } from '../../contract/isolation.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';

type State = KernelPathFact['state'];

/**
 * The mounts alone tell the state. A masked path has `/dev/null` or an empty read-only file system
 * over it; a read-only path is mounted over itself. `exists` says whether this kernel has the path.
 */
export function kernelPathStates(
  mounts: readonly MountEntry[],
  paths: readonly string[],
  exists: (path: string) => boolean,
): Map<string, State> {
  return new Map(paths.map((path) => [path, exists(path) ? stateOf(mounts, path) : 'absent']));
}

function stateOf(mounts: readonly MountEntry[], path: string): State {
  const holder = holderOf(mounts, path);
  // Neither procfs nor sysfs is mounted there, so the path belongs to the image.
  if (holder === undefined || holder.mountPoint === '/') return 'absent';
  const isReadOnly = holder.options.includes('ro') || holder.superOptions.includes('ro');
  if (holder.type === 'proc' || holder.type === 'sysfs') return isReadOnly ? 'read-only' : 'open';
  if (holder.mountPoint !== path) return 'absent';
  const hides = isReadOnly || holder.root.endsWith('/null');
  return hides ? 'masked' : 'open';
}

/**
 * The mount that holds a path, found as the kernel finds it: from the root on, into each mount on
 * the way. A mount that another one covers is never reached.
 */
function holderOf(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  const ids = new Set(mounts.map(({ id }) => id));
  const onTheWay = mounts.filter(
    ({ mountPoint }) =>
      mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`),
  );
  let holder: MountEntry | undefined;
  for (let steps = 0; steps <= onTheWay.length; steps++) {
    const next = onTheWay
      .filter((mount) =>
        holder === undefined ? !ids.has(mount.parentId) : mount.parentId === holder.id,
      )
      .filter((mount) => mount !== holder)
      .reduce<MountEntry | undefined>(nearer, undefined);
    if (next === undefined) return holder;
    holder = next;
  }
  return holder;
}

/**
 * Of two mounts on one parent the one that is reached first, and at the same place the last one
 * mounted.
 */
function nearer(best: MountEntry | undefined, mount: MountEntry): MountEntry {
  if (best === undefined) return mount;
  return mount.mountPoint.length <= best.mountPoint.length ? mount : best;
}
