/** How large a file system must be for a limit. Its file is sparse: only what is written takes space. */
import type { DiskLimits } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { ext4BlockBytes } from '../kernel/ext4.ts';

export interface ImagePlan {
  bytes: number;
  journalBytes: number;
  /** Undefined: in proportion to the size. */
  inodes: number | undefined;
}

export interface PlanFacts {
  /** What the state file system has in all. */
  stateBytes: number;
  /** Whether the kernel lets us grow a mounted file system (CAP_SYS_RESOURCE). */
  growsOnline: boolean;
}

const mib = 1024 * 1024;
const gib = 1024 * mib;
/** ext4 with 4 KiB blocks: one bitmap block holds the bits of so much. */
export const groupBytes = 128 * mib;
/** In one block of a group's table, which has whole blocks. */
const inodesPerBlock = 16;
/** Those that ext4 keeps for itself, with `lost+found`. */
export const ownInodes = 11;
const reserveShare = 50;
export const inodeBytes = 256;
/** As mke2fs.conf has it for file systems of ordinary size. */
export const bytesPerInode = 16_384;
/** Two bitmaps, and descriptors with their copies. */
const groupOverheadBytes = 3 * ext4BlockBytes;
const descriptorsPerBlock = 64;
const smallestOverheadBytes = mib;
/** Beyond this the groups alone take tens of milliseconds to mount, and megabytes of memory. */
const largestHeadroomBytes = 128 * gib;

/**
 * Where a mounted file system can be grown, it is made to measure, and `df` says the limit in every
 * column. Where not, it is made with room to raise the limit while the container runs: the limit is
 * then only what is kept back.
 */
export function planImage(limits: DiskLimits, facts: PlanFacts): ImagePlan {
  const { maxBytes, maxInodes } = limits;
  if (maxBytes === undefined || maxBytes === null)
    throw invalid(
      'an inode limit needs a limit of bytes beside it on this machine, whose file system has no project quota: set disk.maxBytes too',
    );
  const inodes = maxInodes ?? undefined;
  const exact = imageBytes(maxBytes, facts, inodes);
  const roomy = facts.growsOnline
    ? exact
    : Math.min(facts.stateBytes, largestHeadroomBytes, headroomFor(inodes));
  return {
    bytes: Math.floor(Math.max(exact, roomy) / ext4BlockBytes) * ext4BlockBytes,
    journalBytes: journalFor(maxBytes),
    inodes: inodes === undefined ? undefined : inodes + ownInodes,
  };
}

/** Size of the file system that leaves `usableBytes` to its files, and its own reserve beside them. */
export function imageBytes(usableBytes: number, facts: PlanFacts, inodes?: number): number {
  const tables = (inodes ?? usableBytes / bytesPerInode) * inodeBytes;
  const groups = Math.ceil(usableBytes / groupBytes) + 1;
  const bytes =
    (usableBytes +
      journalFor(usableBytes) +
      tables +
      groups * groupOverheadBytes +
      descriptorCopies(groups) * growthDescriptorBytes(facts)) *
      (1 + 1 / reserveShare) +
    smallestOverheadBytes;
  return Math.ceil(bytes / ext4BlockBytes) * ext4BlockBytes;
}

/** Kept free for the descriptors of groups to come (mke2fs(8), `resize`); at most 1024 blocks. */
function growthDescriptorBytes({ growsOnline, stateBytes }: PlanFacts): number {
  if (!growsOnline) return 0;
  const blocks = Math.ceil(stateBytes / groupBytes / descriptorsPerBlock);
  return Math.min(blocks, 1024) * ext4BlockBytes;
}

/** In the groups 0, 1 and the powers of 3, 5 and 7 (ext4.rst, `sparse_super`). */
function descriptorCopies(groups: number): number {
  const powers = [3, 5, 7].map((base) => Math.floor(Math.log(groups) / Math.log(base)));
  return powers.reduce((sum, count) => sum + Math.max(count, 0), 2);
}

/**
 * What ext4 needs in hand to write out what it has promised, as it chooses it by itself: a fiftieth,
 * at most 16 MiB (ext4.rst, `reserved_clusters`).
 */
function reserveBytes(bytes: number): number {
  return Math.min(16 * mib, Math.floor(bytes / reserveShare));
}

/** The same in blocks. */
export const leastReserve = (blocks: number) =>
  Math.floor(reserveBytes(blocks * ext4BlockBytes) / ext4BlockBytes);

export const journalFor = (usableBytes: number) => (usableBytes < gib ? 4 : 16) * mib;

/** Every group has a block of inodes at least: more groups would be more inodes than asked for. */
function headroomFor(inodes: number | undefined): number {
  if (inodes === undefined) return Number.POSITIVE_INFINITY;
  return Math.floor(inodes / (4 * inodesPerBlock)) * groupBytes;
}
