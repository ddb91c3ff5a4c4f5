import { closeSync } from 'node:fs';
import type { Cgroup, CgroupPlacement, Place } from './cgroup.ts';

/** Opens the placement for as long as `use` starts a process with it. */
export async function withPlacement<T>(
  cgroup: Cgroup,
  use: (placement: CgroupPlacement) => Promise<T>,
  place?: Place,
): Promise<T> {
  const placement = cgroup.placement(place);
  try {
    return await use(placement);
  } finally {
    closePlacement(placement);
  }
}

export function closePlacement({ procsFds, directoryFd }: CgroupPlacement): void {
  for (const fd of procsFds) closeSync(fd);
  if (directoryFd !== undefined) closeSync(directoryFd);
}
