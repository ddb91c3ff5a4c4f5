/**
 * The used part of the kernel's FUSE protocol (include/uapi/linux/fuse.h): numbers and encoded replies. All is in the
 * machine's byte order, which is little-endian on both architectures.
 */
import { Stat, statBytes } from '../contract/share-wire.ts';

export const Opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  syncfs: 50,
} as const;

export const inHeaderBytes = 40;
export const outHeaderBytes = 16;
/** Part of the attribute record that is struct fuse_attr and goes to the kernel unchanged. */
const attrBytes = 88;
export const entryOutBytes = 40 + attrBytes;

export const rootNode = 1;

/** FUSE_UNIQUE_RESEND in a request's number: an earlier agent has received the request already. */
export const againBit = 1n << 63n;

/** One request. `body` is valid only until the next one is read. */
export interface Question {
  opcode: number;
  unique: bigint;
  node: number;
  uid: number;
  gid: number;
  /** ID of the requesting thread in the mount's PID namespace. */
  pid: number;
  body: Buffer;
}

export function readQuestion(bytes: Buffer): Question {
  return {
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    node: readU64(bytes, 16),
    uid: bytes.readUInt32LE(24),
    gid: bytes.readUInt32LE(28),
    pid: bytes.readUInt32LE(32),
    body: bytes.subarray(inHeaderBytes),
  };
}

/** Reads a number below 2^53, which covers node IDs, sizes and handles. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

export function writeU64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** Reads a NUL-terminated name at `at`, and the offset of the next. */
export function readName(body: Buffer, at: number): { name: string; next: number } {
  const end = body.indexOf(0, at);
  return { name: body.toString('latin1', at, end), next: end + 1 };
}

/** Allocates a reply; its header is complete except for the length. */
export function answer(unique: bigint, errno: number, bodyBytes = 0): Buffer {
  const bytes = Buffer.alloc(outHeaderBytes + bodyBytes);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeInt32LE(-errno, 4);
  bytes.writeBigUInt64LE(unique, 8);
  return bytes;
}

/** Attributes of a node for a user: the host's with another owner and type. */
export interface ShownAttributes {
  stat: Buffer;
  uid: number;
  gid: number;
  mode: number;
  inode?: bigint;
}

export function putAttributes(target: Buffer, at: number, shown: ShownAttributes): void {
  shown.stat.copy(target, at, 0, attrBytes);
  target.writeUInt32LE(shown.mode, at + Stat.mode);
  target.writeUInt32LE(shown.uid, at + Stat.uid);
  target.writeUInt32LE(shown.gid, at + Stat.gid);
  // The wire's own flags do not mean FUSE_ATTR_*.
  target.writeUInt32LE(0, at + Stat.flags);
}

export interface Validity {
  entrySeconds: number;
  attributeSeconds: number;
}

/** Encodes struct fuse_entry_out. Node 0 means that the name is absent while the entry is valid. */
export function putEntry(
  target: Buffer,
  at: number,
  node: number,
  { entrySeconds, attributeSeconds }: Validity,
  shown?: ShownAttributes,
): void {
  writeU64(target, at, node);
  writeU64(target, at + 16, entrySeconds);
  writeU64(target, at + 24, attributeSeconds);
  if (shown !== undefined) putAttributes(target, at + 40, shown);
}

export const copyStat = (stat: Buffer) => Buffer.from(stat.subarray(0, statBytes));

/** Notifications to the kernel, which are replies to no request, with the code as error. */
const Notice = { invalidateNode: 2, invalidateEntry: 3, resend: 7 } as const;

/** Notification that makes the kernel send all unanswered requests again. */
export const resendAll = () => answer(0n, -Notice.resend);

/** Notification that drops attributes and, from `offset` on, pages; -1 drops only attributes. */
export function invalidateNode(node: number, offset: bigint): Buffer {
  const bytes = answer(0n, -Notice.invalidateNode, 24);
  writeU64(bytes, outHeaderBytes, node);
  bytes.writeBigInt64LE(offset, outHeaderBytes + 8);
  return bytes;
}

export function invalidateEntry(folder: number, name: string): Buffer {
  const bytes = answer(0n, -Notice.invalidateEntry, 16 + name.length + 1);
  writeU64(bytes, outHeaderBytes, folder);
  bytes.writeUInt32LE(name.length, outHeaderBytes + 8);
  bytes.write(name, outHeaderBytes + 16, 'latin1');
  return bytes;
}

export const Linux = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ESTALE: 116,
} as const;
