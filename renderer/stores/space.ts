/** How near to its limit a disk is: there is no counter of what the kernel refused, but this says it before. */
export interface Space {
  usedBytes: number | null;
  maxBytes: number | null;
}

/** A file system keeps some for itself, most by share of a small one: it refuses before all is used. */
const littleShare = 0.05;
const littleBytes = 1024 ** 2;

/** What is left, when that is little; undefined when there is room, or nobody counts. */
export function littleLeft({ usedBytes, maxBytes }: Space): number | undefined {
  if (usedBytes === null || maxBytes === null) return undefined;
  const left = Math.max(0, maxBytes - usedBytes);
  return left <= Math.max(littleBytes, maxBytes * littleShare) ? left : undefined;
}
