/**
 * Netlink sockets (netlink(7)). A socket belongs to the network namespace of the thread that created it, whatever
 * thread uses it later; so the main thread configures a container's network without entering its namespace.
 *
 * The kernel handles a request inside send(2), so the answer is ready when it returns, and a synchronous exchange
 * costs two short system calls.
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

/** Netlink families in use (linux/netlink.h). */
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

/** Timeout of an answer, after which the kernel counts as stuck. */
const receiveTimeoutSeconds = 10;
const receiveBufferBytes = 4 * 1024 * 1024;

/** Creates a socket in the calling thread's network namespace. The caller closes it. */
export function openNetlink(family: number): number {
  const fd = socketCall('netlink', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
  try {
    // With port 0 in sockaddr_nl the kernel chooses one, so that a process can have many sockets.
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
  // Acknowledgements then contain the kernel's message about the error.
  setsockoptCall('extended acks', fd, SOL_NETLINK, NETLINK_EXT_ACK, on, on.length);
  const size = Buffer.alloc(4);
  size.writeInt32LE(receiveBufferBytes, 0);
  try {
    setsockoptCall('receive buffer', fd, SOL_SOCKET, SO_RCVBUFFORCE, size, size.length);
  } catch (error) {
    // Inside a user namespace the limit cannot be exceeded; the default holds a few hundred answers.
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
 * Sends on a thread of the pool, for requests that take the kernel tens of milliseconds, such as the removal of an
 * interface (it waits for every CPU). The socket's namespace applies, not the thread's. Resolves when the answer can
 * be received.
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

/** Receives one datagram, which may contain several messages. Throws ETIMEDOUT when none arrives. */
export function receiveNetlink(fd: number): Buffer {
  for (;;) {
    try {
      // A peek with MSG_TRUNC returns the datagram's length, so that nothing is cut off.
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
