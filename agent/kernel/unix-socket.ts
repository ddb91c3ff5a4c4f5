/** Passes a descriptor over a listening unix socket, which Node cannot do. */
import { closeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { openDirectory, withFd } from './files.ts';
import { libcCall } from './libc.ts';
import { descriptorMessage } from './pass-descriptors.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** Size of sun_path in struct sockaddr_un, with its NUL. */
const pathBytes = 108;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const connectCall = libcCall('connect', ['int', 'void *', 'uint']);
const sendmsgCall = libcCall('sendmsg', ['int', 'void *', 'int'], 'long');

/** Connects to a listening socket and sends `fd` with `text`. */
export function sendDescriptor(socketPath: string, fd: number, text: string): void {
  // A longer path is reached through a descriptor of its directory.
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
    sendmsgCall(path, socket, descriptorMessage(Buffer.from(text), [fd]), MSG_NOSIGNAL);
  } finally {
    closeSync(socket);
  }
}
