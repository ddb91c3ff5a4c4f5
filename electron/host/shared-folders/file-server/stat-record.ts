/** Encodes a file's attributes for the protocol (agent/contract/share-wire.ts). */
import type { BigIntStats } from 'node:fs';
import { Stat, statBytes, watchedFlag } from '../../../../agent/contract/share-wire.ts';

const second = 1_000_000_000n;
const typeMask = 0o170000;
const typeRegular = 0o100000;

/** Files on the folder's own device keep their inode numbers; others are changed so that they cannot collide. */
export function statRecord(stats: BigIntStats, ownDevice: bigint, isWatched: boolean): Buffer {
  const record = Buffer.alloc(statBytes);
  const inode = stats.dev === ownDevice ? stats.ino : stats.ino ^ (stats.dev << 40n);
  record.writeBigUInt64LE(BigInt.asUintN(64, inode), Stat.inode);
  record.writeBigUInt64LE(stats.size, Stat.size);
  record.writeBigUInt64LE(stats.blocks ?? (stats.size + 511n) / 512n, Stat.blocks);
  putTime(record, Stat.accessed, Stat.accessedNanos, stats.atimeNs);
  putTime(record, Stat.modified, Stat.modifiedNanos, stats.mtimeNs);
  putTime(record, Stat.changed, Stat.changedNanos, stats.ctimeNs);
  record.writeUInt32LE(modeOf(Number(stats.mode)), Stat.mode);
  record.writeUInt32LE(Number(stats.nlink), Stat.links);
  record.writeUInt32LE(Number(stats.uid), Stat.uid);
  record.writeUInt32LE(Number(stats.gid), Stat.gid);
  record.writeUInt32LE(Number(stats.blksize ?? 4096n), Stat.blockSize);
  record.writeUInt32LE(isWatched ? watchedFlag : 0, Stat.flags);
  record.writeBigUInt64LE(BigInt.asUintN(64, stats.birthtimeNs), Stat.birth);
  return record;
}

/** A device node of this computer is shown as a regular file that cannot be opened. */
function modeOf(mode: number): number {
  const type = mode & typeMask;
  return type === 0o020000 || type === 0o060000 ? typeRegular : mode;
}

function putTime(record: Buffer, secondsAt: number, nanosAt: number, nanos: bigint): void {
  const fraction = ((nanos % second) + second) % second;
  record.writeBigInt64LE((nanos - fraction) / second, secondsAt);
  record.writeUInt32LE(Number(fraction), nanosAt);
}
