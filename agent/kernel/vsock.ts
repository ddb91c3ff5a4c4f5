/**
 * Connections between a virtual machine and its host: vsock(7). Node knows only unix and TCP sockets and checks the
 * type of a descriptor once; afterwards it accepts, reads and writes as on any stream socket. So it gets a unix
 * socket, which the other one then replaces (dup(2)).
 */
import { closeSync } from 'node:fs';
import type { Server } from 'node:net';
import { O_CLOEXEC } from './files.ts';
import { libcCall } from './libc.ts';

const AF_UNIX = 1;
const AF_VSOCK = 40;
const SOCK_STREAM = 1;
/** A peer may be gone before it is accepted, and accept(2) must not block Node's main thread. */
const SOCK_NONBLOCK = 0o4000;
/** Any address of this machine (linux/vm_sockets.h). */
const VMADDR_CID_ANY = 0xffff_ffff;
const sockaddrVmBytes = 16;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'int']);
const listenCall = libcCall('listen', ['int', 'int']);
const dup3Call = libcCall('dup3', ['int', 'int', 'int']);

/** Throws KernelError for a port in use or a kernel without vsock. */
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

/** `line` is a bound socket, of which the server keeps a descriptor of its own. */
export function listenInPlace(server: Server, line: number, subject: string): void {
  const shown = socketCall(subject, AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0);
  // The kernel chooses an address in its abstract namespace, which nobody looks for (unix(7), autobind).
  const family = Buffer.from([AF_UNIX, 0]);
  bindCall(subject, shown, family, family.length);
  // Node checks the descriptor and listens at once, and polls it in the next iteration of its event loop.
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
