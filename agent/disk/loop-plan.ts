/** Computes how large a file system must be for a limit. Its file is sparse, so only written blocks take space. */
import type { DiskLimits } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { ext4BlockBytes } from '../kernel/ext4.ts';

export interface ImagePlan {
  bytes: number;
  journalBytes: number;
  /** Number of inodes; in proportion to the size when `undefined`. */
  inodes: number | undefined;
}

export interface PlanFacts {
  /** Size of the state file system. */
  stateBytes: number;
  /** Whether the kernel allows growing a mounted file system (CAP_SYS_RESOURCE). */
  growsOnline: boolean;
}

const mib = 1024 * 1024;
const gib = 1024 * mib;
/** Size of a block group of ext4 with 4 KiB blocks, which one bitmap block covers. */
export const groupBytes = 128 * mib;
/** Inodes in one block of a group's table, which consists of whole blocks. */
const inodesPerBlock = 16;
/** Inodes that ext4 reserves, with `lost+found`. */
export const ownInodes = 11;
const reserveShare = 50;
export const inodeBytes = 256;
/** Value of mke2fs.conf for file systems of ordinary size. */
export const bytesPerInode = 16_384;
/** Two bitmaps, and group descriptors with their copies. */
const groupOverheadBytes = 3 * ext4BlockBytes;
const descriptorsPerBlock = 64;
const smallestOverheadBytes = mib;
/** With more headroom the groups alone take tens of milliseconds to mount, and megabytes of memory. */
const largestHeadroomBytes = 128 * gib;

/**
 * Plans the file system. If it can grow while mounted, it has exactly the limit's size, and `df` shows the limit in
 * every column. Otherwise it has headroom, so that the limit can be raised while the container runs: the limit is
 * then only the blocks that are reserved.
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

/** Size in bytes of a file system that offers `usableBytes` to files besides its own reserve. */
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

/** Bytes reserved for descriptors of future groups (mke2fs(8), `resize`); at most 1024 blocks. */
function growthDescriptorBytes({ growsOnline, stateBytes }: PlanFacts): number {
  if (!growsOnline) return 0;
  const blocks = Math.ceil(stateBytes / groupBytes / descriptorsPerBlock);
  return Math.min(blocks, 1024) * ext4BlockBytes;
}

/** Copies of the descriptors, which are in the groups 0, 1 and the powers of 3, 5 and 7 (ext4.rst, `sparse_super`). */
function descriptorCopies(groups: number): number {
  const powers = [3, 5, 7].map((base) => Math.floor(Math.log(groups) / Math.log(base)));
  return powers.reduce((sum, count) => sum + Math.max(count, 0), 2);
}

/**
 * Bytes that ext4 reserves by default for delayed allocation: a fiftieth, at most 16 MiB (ext4.rst,
 * `reserved_clusters`).
 */
function reserveBytes(bytes: number): number {
  return Math.min(16 * mib, Math.floor(bytes / reserveShare));
}

/** The same reserve in blocks. */
export const leastReserve = (blocks: number) =>
  Math.floor(reserveBytes(blocks * ext4BlockBytes) / ext4BlockBytes);

export const journalFor = (usableBytes: number) => (usableBytes < gib ? 4 : 16) * mib;

/** Headroom in bytes. Every group has at least a block of inodes, so more groups would exceed the inode limit. */
function headroomFor(inodes: number | undefined): number {
  if (inodes === undefined) return Number.POSITIVE_INFINITY;
  return Math.floor(inodes / (4 * inodesPerBlock)) * groupBytes;
}
