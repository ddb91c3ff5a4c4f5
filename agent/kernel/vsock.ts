/**
 * A virtual machine's line to its host: vsock(7). Node knows unix and TCP sockets only, and tells
 * them apart by their descriptor once; after that it accepts, reads and writes as on any stream
 * socket. So it is shown a unix socket, whose place the other then takes (dup(2)).
 */
import { closeSync } from 'node:fs';
import type { Server } from 'node:net';
import { O_CLOEXEC } from './files.ts';
import { libcCall } from './libc.ts';

const AF_UNIX = 1;
const AF_VSOCK = 40;
const SOCK_STREAM = 1;
/** Who connects may be gone before it is accepted; Node's only thread must not wait for the next. */
const SOCK_NONBLOCK = 0o4000;
/** Any of this machine's own addresses (linux/vm_sockets.h). */
const VMADDR_CID_ANY = 0xffff_ffff;
const sockaddrVmBytes = 16;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'int']);
const listenCall = libcCall('listen', ['int', 'int']);
const dup3Call = libcCall('dup3', ['int', 'int', 'int']);

/** Throws KernelError, for a port in use or a kernel without vsock. */
export function listenOnVsock(server: Server, port: number): void {
  const subject = `vsock port ${port}`;
  const line = socketCall(subject, AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | O_CLOEXEC, 0);
  try {
    bindCall(subject, line, addressOf(port), sockaddrVmBytes);
    listenInPlace(server, line, subject);
  } finally {
    closeSync(line);
  }
}

/** `line` is bound. The server keeps a descriptor of its own. */
export function listenInPlace(server: Server, line: number, subject: string): void {
  const shown = socketCall(subject, AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0);
  // An address that the kernel chooses, in its abstract space: nobody looks for it (unix(7), autobind).
  const family = Buffer.from([AF_UNIX, 0]);
  bindCall(subject, shown, family, family.length);
  // Node looks at the descriptor and begins to listen at once, and polls it in its next round.
  server.listen({ fd: shown });
  dup3Call(subject, line, shown, O_CLOEXEC);
  listenCall(subject, shown, 511);
}

function addressOf(port: number): Buffer {
  const address = Buffer.alloc(sockaddrVmBytes);
  address.writeUInt16LE(AF_VSOCK, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(VMADDR_CID_ANY, 8);
  return address;
}
