/**
 * The kernel's FUSE protocol (include/uapi/linux/fuse.h), as far as it is used: numbers, and answers
 * as bytes. All of it is in the machine's own byte order, which is little endian wherever we run.
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
/** struct fuse_attr: what of our attribute record goes to the kernel as it is. */
const attrBytes = 88;
export const entryOutBytes = 40 + attrBytes;

export const rootNode = 1;

/** FUSE_UNIQUE_RESEND, in a question's number: an agent before us was asked it already. */
export const againBit = 1n << 63n;

/** One question. `body` is only good until the next one is read. */
export interface Question {
  opcode: number;
  unique: bigint;
  node: number;
  uid: number;
  gid: number;
  /** The asking thread's, as the mount's pid namespace numbers it. */
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

/** Up to 2^53, which covers node ids, sizes and handles. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

export function writeU64(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** A name that ends with a NUL, from `at` on, and where the next begins. */
export function readName(body: Buffer, at: number): { name: string; next: number } {
  const end = body.indexOf(0, at);
  return { name: body.toString('latin1', at, end), next: end + 1 };
}

/** An answer's memory, its header filled in but for the length, and its body to be. */
export function answer(unique: bigint, errno: number, bodyBytes = 0): Buffer {
  const bytes = Buffer.alloc(outHeaderBytes + bodyBytes);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeInt32LE(-errno, 4);
  bytes.writeBigUInt64LE(unique, 8);
  return bytes;
}

/** What a node shows to whoever asks: a host's attributes with another owner and type. */
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
  // FUSE_ATTR_* flags: none of them is meant by the wire's own.
  target.writeUInt32LE(0, at + Stat.flags);
}

export interface Validity {
  entrySeconds: number;
  attributeSeconds: number;
}

/** struct fuse_entry_out. Node 0 says that there is no such name, for as long as it is valid. */
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

/** Notices to the kernel: an answer to nothing, whose error is the notice's code. */
const Notice = { invalidateNode: 2, invalidateEntry: 3, resend: 7 } as const;

/** All that was read and not answered is to be asked again. */
export const resendAll = () => answer(0n, -Notice.resend);

/** Attributes and, from `offset` on, pages; -1 for attributes only. */
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
