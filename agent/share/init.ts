/** Answers FUSE_INIT, which negotiates features with the kernel. */
import { answer, outHeaderBytes, type Question } from './fuse-wire.ts';

/** Oldest protocol that has all used features: that of Linux 5.4 (FUSE_EXPLICIT_INVAL_DATA is 7.30). */
const major = 7;
const oldestMinor = 31;
/** Protocol of the structures in this folder (Linux 6.12). */
const ourMinor = 41;

const Flag = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  readdirplus: 1 << 13,
  asyncDirect: 1 << 15,
  parallelDirectories: 1 << 18,
  abortError: 1 << 21,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  explicitInvalidation: 1 << 25,
} as const;

/**
 * Features that are deliberately not requested. FUSE_WRITEBACK_CACHE: the kernel then treats sizes and times of files
 * as its own and ignores the host's changes (fuse_change_attributes, fs/fuse/inode.c); writes are answered early in
 * write-behind.ts instead. FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS: without them the kernel keeps the locks, which is
 * exact between all containers of the machine. FUSE_READDIRPLUS_AUTO: a program that walks a tree reads a whole
 * folder before the first file, and would then request each one. FUSE_AUTO_INVAL_DATA: it drops a file's pages after
 * each own write; the host notifies of changes instead.
 */
const wanted = Object.values(Flag).reduce((all, flag) => all | flag, 0);

export const maxWriteBytes = 1024 * 1024;
/** Size of the longest request, a write with its headers. */
export const questionBytes = maxWriteBytes + 4096;
const pageBytes = 4096;
/** Number of background requests such as readahead. */
const maxBackground = 64;

/** Returns `undefined` when the kernel is too old and gets no reply. */
export function answerInit({ unique, body }: Question): Buffer | undefined {
  const minor = body.readUInt32LE(4);
  if (body.readUInt32LE(0) !== major || minor < oldestMinor) return undefined;
  const offered = body.readUInt32LE(12);
  const bytes = answer(unique, 0, 64);
  const at = outHeaderBytes;
  bytes.writeUInt32LE(major, at);
  bytes.writeUInt32LE(Math.min(minor, ourMinor), at + 4);
  bytes.writeUInt32LE(maxWriteBytes, at + 8);
  bytes.writeUInt32LE((offered & wanted) >>> 0, at + 12);
  bytes.writeUInt16LE(maxBackground, at + 16);
  bytes.writeUInt16LE((maxBackground * 3) / 4, at + 18);
  bytes.writeUInt32LE(maxWriteBytes, at + 20);
  // The granularity of times is one nanosecond.
  bytes.writeUInt32LE(1, at + 24);
  bytes.writeUInt16LE(maxWriteBytes / pageBytes, at + 28);
  return bytes;
}

const flagsFollow = 1 << 30;
/** FUSE_HAS_RESEND is bit 39. */
const hasResend = 1 << 7;

/** Whether the kernel can send all unanswered requests to the next agent again (Linux 6.9). */
export function resendsRequests({ body }: Question): boolean {
  if (body.length < 20 || (body.readUInt32LE(12) & flagsFollow) === 0) return false;
  return (body.readUInt32LE(16) & hasResend) !== 0;
}
