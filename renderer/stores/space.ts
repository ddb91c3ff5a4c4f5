/** How near to its limit a disk is: there is no counter of what the kernel refused, but this says it before. */
export interface Space {
  usedBytes: number | null;
  maxBytes: number | null;
}

/** A file system keeps some for itself: it refuses before all is used. */
const nearlyFullShare = 0.95;

/** What is left, when that is little; undefined when there is room, or nobody counts. */
export function littleLeft({ usedBytes, maxBytes }: Space): number | undefined {
  if (usedBytes === null || maxBytes === null || usedBytes < maxBytes * nearlyFullShare)
    return undefined;
  return Math.max(0, maxBytes - usedBytes);
}
