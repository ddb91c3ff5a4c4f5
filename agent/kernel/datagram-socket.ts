/** Unix datagram sockets (SOCK_DGRAM of unix(7)), which Node lacks. */
import { chmodSync, closeSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { O_CLOEXEC, openDirectory, withFd } from './files.ts';
import { hasErrno, libcCall } from './libc.ts';
import { descriptorMessage } from './pass-descriptors.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Size of sun_path in struct sockaddr_un, with its NUL. */
const pathBytes = 108;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const connectCall = libcCall('connect', ['int', 'void *', 'uint']);
const recvCall = libcCall('recv', ['int', 'void *', 'size_t', 'int'], 'long');
const sendCall = libcCall('send', ['int', 'void *', 'size_t', 'int'], 'long');
const sendmsgCall = libcCall('sendmsg', ['int', 'void *', 'int'], 'long');

/** Binds a socket and replaces an existing file at `path`. Whoever can reach the path may send. */
export function bindDatagrams(path: string): number {
  const fd = socketCall(path, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | O_CLOEXEC, 0);
  try {
    rmSync(path, { force: true });
    withAddress(path, (address) => bindCall(path, fd, address, address.length));
    chmodSync(path, 0o666);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Next message, truncated to `mostBytes`; `undefined` when there is none. */
export function receiveDatagram(fd: number, mostBytes: number): Buffer | undefined {
  const buffer = Buffer.alloc(mostBytes);
  try {
    return buffer.subarray(0, recvCall(undefined, fd, buffer, buffer.length, MSG_DONTWAIT));
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return undefined;
    throw error;
  }
}

/** Connects a socket; `@name` is a name in the kernel's abstract namespace. Throws ECONNREFUSED without a receiver. */
export function connectDatagrams(path: string): number {
  const fd = socketCall(path, AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0);
  try {
    withAddress(path, (address) => connectCall(path, fd, address, address.length));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Sends a message. Blocks while the receiver's queue is full. */
export function sendDatagram(fd: number, text: string, descriptor?: number): void {
  const content = Buffer.from(text);
  if (descriptor === undefined) sendCall(text, fd, content, content.length, MSG_NOSIGNAL);
  else sendmsgCall(text, fd, descriptorMessage(content, [descriptor]), MSG_NOSIGNAL);
}

function withAddress(path: string, use: (address: Buffer) => void): void {
  if (path.startsWith('@')) use(addressOf(`\0${path.slice(1)}`));
  else if (Buffer.byteLength(path) < pathBytes) use(addressOf(path));
  // A longer path is reached through a descriptor of its directory.
  else
    withFd(openDirectory(dirname(path)), (folder) =>
      use(addressOf(`/proc/self/fd/${folder}/${basename(path)}`)),
    );
}

/** The address has exactly the name's length, because in the abstract namespace every byte counts. */
function addressOf(name: string): Buffer {
  const address = Buffer.alloc(2 + Buffer.byteLength(name));
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(name, 2);
  return address;
}
