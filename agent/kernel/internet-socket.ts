/**
 * IPv4 sockets that are created on the calling thread (ip(7)), because Node creates its own only in one network
 * namespace.
 */
import { closeSync } from 'node:fs';
import { libcCall } from './libc.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDTIMEO = 21;
const backlog = 511;
/** Timeout of a connect, chosen for a person who waits at a terminal. */
const connectTimeoutSeconds = 10;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const bindCall = libcCall('bind', ['int', 'void *', 'uint']);
const listenCall = libcCall('listen', ['int', 'int']);
const connectCall = libcCall('connect', ['int', 'void *', 'uint']);
const setsockoptCall = libcCall('setsockopt', ['int', 'int', 'int', 'void *', 'uint']);
const fcntlCall = libcCall('fcntl', ['int', 'int', 'int']);

const F_SETFL = 4;

/** Creates a bound socket, which for TCP listens. */
export function listenTo(protocol: 'tcp' | 'udp', address: string, port: number): number {
  const type = protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
  const name = `${address}:${port}`;
  const fd = socketCall(name, AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    const on = Buffer.from([1, 0, 0, 0]);
    // As in Node, a port may be bound while its last connections are closing.
    if (protocol === 'tcp') setsockoptCall(name, fd, SOL_SOCKET, SO_REUSEADDR, on, on.length);
    const to = socketAddress(address, port);
    bindCall(name, fd, to, to.length);
    if (protocol === 'tcp') listenCall(name, fd, backlog);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Creates a connected socket. Blocks the calling thread. Throws KernelError (EINPROGRESS after the timeout). */
export function connectTcp(address: string, port: number): number {
  const name = `${address}:${port}`;
  const fd = socketCall(name, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(connectTimeoutSeconds), 0);
    setsockoptCall(name, fd, SOL_SOCKET, SO_SNDTIMEO, timeout, timeout.length);
    const to = socketAddress(address, port);
    connectCall(name, fd, to, to.length);
    fcntlCall(name, fd, F_SETFL, SOCK_NONBLOCK);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Encodes a struct sockaddr_in. */
function socketAddress(address: string, port: number): Buffer {
  const buffer = Buffer.alloc(16);
  buffer.writeUInt16LE(AF_INET, 0);
  buffer.writeUInt16BE(port, 2);
  for (const [index, part] of address.split('.').entries()) buffer[4 + index] = Number(part);
  return buffer;
}
