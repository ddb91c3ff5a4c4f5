/** Passing a descriptor over a unix socket (unix(7), SCM_RIGHTS), which Node cannot do itself. */
import { closeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { openDirectory, withFd } from './files.ts';
import { addressOf, libcCall } from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
/** sun_path of struct sockaddr_un, with its NUL. */
const pathBytes = 108;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const connectCall = libcCall('connect', ['int', 'void *', 'uint']);
const sendmsgCall = libcCall('sendmsg', ['int', 'void *', 'int'], 'long');

/** Connects to a listening socket and sends `fd` with `text`. */
export function sendDescriptor(socketPath: string, fd: number, text: string): void {
  // A longer path is reached through a descriptor of its folder.
  if (Buffer.byteLength(socketPath) < pathBytes) sendTo(socketPath, fd, text);
  else
    withFd(openDirectory(dirname(socketPath)), (folder) =>
      sendTo(`/proc/self/fd/${folder}/${basename(socketPath)}`, fd, text),
    );
}

function sendTo(path: string, fd: number, text: string): void {
  const socket = socketCall(path, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    const address = Buffer.alloc(2 + pathBytes);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(path, 2);
    connectCall(path, socket, address, address.length);
    sendmsgCall(path, socket, message(Buffer.from(text), fd), MSG_NOSIGNAL);
  } finally {
    closeSync(socket);
  }
}

/** struct msghdr, struct iovec, struct cmsghdr and the content, one after the other in one piece. */
const at = { vector: 56, control: 72, content: 96 } as const;
const controlBytes = at.content - at.control;

function message(content: Buffer, fd: number): Buffer {
  const memory = Buffer.alloc(at.content + content.length);
  const address = addressOf(memory);
  memory.writeBigUInt64LE(address + BigInt(at.vector), 16);
  memory.writeBigUInt64LE(1n, 24);
  memory.writeBigUInt64LE(address + BigInt(at.control), 32);
  memory.writeBigUInt64LE(BigInt(controlBytes), 40);
  memory.writeBigUInt64LE(address + BigInt(at.content), at.vector);
  memory.writeBigUInt64LE(BigInt(content.length), at.vector + 8);
  // CMSG_LEN of one descriptor: the header's 16 bytes and 4.
  memory.writeBigUInt64LE(20n, at.control);
  memory.writeInt32LE(SOL_SOCKET, at.control + 8);
  memory.writeInt32LE(SCM_RIGHTS, at.control + 12);
  memory.writeInt32LE(fd, at.control + 16);
  content.copy(memory, at.content);
  return memory;
}
