/**
 * Netlink sockets (netlink(7)). A socket belongs to the network namespace of the thread that made
 * it and stays there, whatever thread uses it later; that is how the main thread wires a
 * container's network without ever entering its namespace.
 *
 * The kernel handles a request inside send(2), so the answer is ready when it returns and a
 * synchronous exchange costs two short system calls.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { hasErrno, KernelError, libcCall, loadLibrary } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;

/** Netlink families that we speak (linux/netlink.h). */
export const NetlinkFamily = { route: 0, netfilter: 12 } as const;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const setsockoptCall = libcCall('setsockopt', ['int', 'int', 'int', 'void *', 'uint']);
const sendCall = libcCall('send', ['int', 'void *', 'size_t', 'int'], 'long');
const sendAsynchronously = loadLibrary('libc.so.6').func('send', 'long', [
  'int',
  'void *',
  'size_t',
  'int',
]).async;
const recvCall = libcCall('recv', ['int', 'void *', 'size_t', 'int'], 'long');

/** How long an answer may take before we call the kernel stuck. */
const receiveTimeoutSeconds = 10;
const receiveBufferBytes = 4 * 1024 * 1024;

/** A socket in the calling thread's network namespace; the caller closes it. */
export function openNetlink(family: number): number {
  const fd = socketCall('netlink', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
  try {
    // sockaddr_nl with port 0: the kernel picks one, so that many sockets of a process coexist.
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    bindCall('netlink', fd, address, address.length);
    prepare(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function prepare(fd: number): void {
  const timeout = Buffer.alloc(16);
  timeout.writeBigInt64LE(BigInt(receiveTimeoutSeconds), 0);
  setsockoptCall('receive timeout', fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
  const on = Buffer.from([1, 0, 0, 0]);
  // Acknowledgements then carry the kernel's own sentence about what is wrong.
  setsockoptCall('extended acks', fd, SOL_NETLINK, NETLINK_EXT_ACK, on, on.length);
  const size = Buffer.alloc(4);
  size.writeInt32LE(receiveBufferBytes, 0);
  try {
    setsockoptCall('receive buffer', fd, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length);
  } catch (error) {
    // Inside a user namespace the limit cannot be passed; the default holds a few hundred answers.
    if (!hasErrno(error, 'EPERM')) throw error;
  }
}

export function sendNetlink(fd: number, message: Buffer): void {
  for (;;) {
    try {
      sendCall('netlink', fd, message, message.length, 0);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EINTR')) throw error;
    }
  }
}

/**
 * Sends from a thread of the pool: for requests that the kernel takes tens of milliseconds to carry
 * out, such as the end of an interface (it waits for every CPU to let go of it). The socket's
 * namespace counts, not the thread's. Resolves when the answer can be received.
 */
export function sendNetlinkInBackground(fd: number, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sendAsynchronously(fd, message, message.length, 0, (failure: unknown, sent: unknown) => {
      if (failure) reject(failure);
      else if (Number(sent) === -1) reject(new KernelError('send', constants.errno.EIO, 'netlink'));
      else resolve();
    });
  });
}

/** One datagram, which may hold several messages. Throws ETIMEDOUT when none comes. */
export function receiveNetlink(fd: number): Buffer {
  for (;;) {
    try {
      // Peek with MSG_TRUNC tells the datagram's true length, so that nothing is ever cut off.
      const length = recvCall('netlink', fd, null, 0, MSG_PEEK | MSG_TRUNC);
      const buffer = Buffer.allocUnsafe(length);
      return buffer.subarray(0, recvCall('netlink', fd, buffer, length, 0));
    } catch (error) {
      if (hasErrno(error, 'EAGAIN'))
        throw new KernelError('recv', constants.errno.ETIMEDOUT, 'netlink');
      if (!hasErrno(error, 'EINTR')) throw error;
    }
  }
}
