/** Passes descriptors to another process: socketpair(2), sendmsg(2), SCM_RIGHTS of unix(7). */
import { addressOf, libcCall } from './libc.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
/** SCM_MAX_FD of the kernel: the number of descriptors in one message. */
export const maxPassed = 253;

const socketpairCall = libcCall('socketpair', ['int', 'int', 'int', 'void *']);
const sendmsgCall = libcCall('sendmsg', ['int', 'void *', 'int'], 'long');

/** Creates a connection that keeps message boundaries. */
export function makeConnection(): { ourFd: number; theirFd: number } {
  const fds = Buffer.alloc(8);
  socketpairCall(undefined, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  return { ourFd: fds.readInt32LE(0), theirFd: fds.readInt32LE(4) };
}

/** Sends descriptors in one message with `text`. Throws EPIPE when the other end is closed. */
export function passDescriptors(fd: number, text: string, descriptors: readonly number[]): void {
  const message = descriptorMessage(Buffer.from(text), descriptors);
  sendmsgCall(text, fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/** Offsets of the parts of a message: struct msghdr, struct iovec and struct cmsghdr of 64-bit Linux. */
const at = { vector: 56, control: 72, descriptors: 88 } as const;

/** Encodes the argument of sendmsg(2) in one piece of memory. */
export function descriptorMessage(content: Buffer, descriptors: readonly number[]): Buffer {
  const controlBytes = at.descriptors - at.control + Math.ceil(descriptors.length / 2) * 8;
  const contentAt = at.control + controlBytes;
  const memory = Buffer.alloc(contentAt + content.length);
  const address = addressOf(memory);
  memory.writeBigUInt64LE(address + BigInt(at.vector), 16);
  memory.writeBigUInt64LE(1n, 24);
  memory.writeBigUInt64LE(address + BigInt(at.control), 32);
  memory.writeBigUInt64LE(BigInt(controlBytes), 40);
  memory.writeBigUInt64LE(address + BigInt(contentAt), at.vector);
  memory.writeBigUInt64LE(BigInt(content.length), at.vector + 8);
  // CMSG_LEN is 16 bytes of header and 4 for each descriptor.
  memory.writeBigUInt64LE(BigInt(16 + 4 * descriptors.length), at.control);
  memory.writeInt32LE(SOL_SOCKET, at.control + 8);
  memory.writeInt32LE(SCM_RIGHTS, at.control + 12);
  for (const [index, descriptor] of descriptors.entries())
    memory.writeInt32LE(descriptor, at.descriptors + 4 * index);
  content.copy(memory, contentAt);
  return memory;
}
