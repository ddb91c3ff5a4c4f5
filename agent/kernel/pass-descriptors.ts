/** Handing descriptors to another process: socketpair(2), sendmsg(2), SCM_RIGHTS of unix(7). */
import { addressOf, libcCall } from './libc.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
/** SCM_MAX_FD of the kernel: as many as one message takes. */
export const mostPassed = 253;

const socketpairCall = libcCall('socketpair', ['int', 'int', 'int', 'void *']);
const sendmsgCall = libcCall('sendmsg', ['int', 'void *', 'int'], 'long');

/** Two ends of a connection that keeps messages apart. */
export function makeConnection(): { ourFd: number; theirFd: number } {
  const fds = Buffer.alloc(8);
  socketpairCall(undefined, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  return { ourFd: fds.readInt32LE(0), theirFd: fds.readInt32LE(4) };
}

/** In one message with `text`. Throws EPIPE when nobody has the other end any more. */
export function passDescriptors(fd: number, text: string, descriptors: readonly number[]): void {
  const content = Buffer.from(text);
  // struct iovec, struct cmsghdr with its content, struct msghdr of 64-bit Linux.
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(addressOf(content), 0);
  vector.writeBigUInt64LE(BigInt(content.length), 8);
  const control = Buffer.alloc(16 + Math.ceil(descriptors.length / 2) * 8);
  control.writeBigUInt64LE(BigInt(16 + 4 * descriptors.length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries())
    control.writeInt32LE(descriptor, 16 + 4 * index);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(addressOf(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(addressOf(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  sendmsgCall(text, fd, message, MSG_NOSIGNAL | MSG_DONTWAIT);
}
