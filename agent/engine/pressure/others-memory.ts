/**
 * What all but the container that has the most memory need of it (docs/decisions/0019): what they have and cannot
 * give back.
 */
import type { Usage } from '../../contract/limits.ts';

/** What changes by less is no reason to write anew. */
const stepBytes = 64 * 1024 ** 2;

/** What all but the greatest of them need, in steps, rounded up. */
export function needOfOthers(containers: readonly Usage[]): number {
  const needs = containers.map(need);
  const sum = needs.reduce((total, bytes) => total + bytes, 0);
  return Math.ceil((sum - Math.max(0, ...needs)) / stepBytes) * stepBytes;
}

/** Without what the kernel takes back as it needs it. Of its own, v1 tells only the pages of files. */
function need({ memory: { usageBytes, stat } }: Usage): number {
  const { inactive_file = 0, active_file = 0, slab_reclaimable = 0 } = stat;
  return Math.max(0, usageBytes - inactive_file - active_file - slab_reclaimable);
}
