/** A listening unix socket (unix(7)) for a thread that waits with poll(2) and not with libuv. */
import { chmodSync, closeSync, rmSync } from 'node:fs';
import { libcCall, unthrownCall } from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_SNDBUFFORCE = 32;
/** Size of sun_path in struct sockaddr_un, with its NUL. */
const pathBytes = 108;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const listenCall = libcCall('listen', ['int', 'int']);
const setsockoptCall = unthrownCall('setsockopt', ['int', 'int', 'int', 'void *', 'uint']);
const accept4Call = unthrownCall('accept4', ['int', 'void *', 'void *', 'int']);
const recvCall = unthrownCall('recv', ['int', 'void *', 'size_t', 'int'], 'long');
const sendCall = unthrownCall('send', ['int', 'void *', 'size_t', 'int'], 'long');

/** Listens at a path and replaces a stale socket there; only the owner may connect. */
export function listenUnix(path: string): number {
  if (Buffer.byteLength(path) >= pathBytes)
    throw new Error(`${path} is too long for a socket: use a shorter --run directory`);
  const fd = socketCall(path, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    rmSync(path, { force: true });
    const address = Buffer.alloc(2 + pathBytes);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(path, 2);
    bindCall(path, fd, address, address.length);
    chmodSync(path, 0o600);
    listenCall(path, fd, 16);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Accepts a connection without blocking; `undefined` when there is none. */
export function acceptUnix(fd: number): number | undefined {
  const accepted = accept4Call(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return accepted < 0 ? undefined : accepted;
}

/** Returns the number of received bytes, 0 at the end, or a negative errno: EAGAIN for none yet. */
export function receive(fd: number, buffer: Buffer): number {
  return recvCall(fd, buffer, buffer.length, 0);
}

/** Returns the number of sent bytes or a negative errno: EAGAIN for none. */
export function send(fd: number, bytes: Buffer): number {
  return sendCall(fd, bytes, bytes.length, MSG_NOSIGNAL);
}

/** Sets the size of the send buffer; root may exceed the limit of ordinary users. */
export function setSendBuffer(fd: number, bytes: number): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(bytes);
  if (setsockoptCall(fd, SOL_SOCKET, SO_SNDBUFFORCE, value, value.length) < 0)
    setsockoptCall(fd, SOL_SOCKET, SO_SNDBUF, value, value.length);
}
