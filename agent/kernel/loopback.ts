/** The loopback interface of the calling thread's network namespace (netdevice(7)), which is down at first. */
import { closeSync } from 'node:fs';
import { libcCall } from './libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** The struct ifreq contains a name of 16 bytes and here the flags. */
const requestBytes = 40;
const flagsOffset = 16;

const socketCall = libcCall('socket', ['int', 'int', 'int']);
const ioctlCall = libcCall('ioctl', ['int', 'ulong', 'void *']);

export function bringLoopbackUp(): void {
  const request = Buffer.alloc(requestBytes);
  request.write('lo');
  request.writeInt16LE(IFF_UP, flagsOffset);
  const fd = socketCall('lo', AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    ioctlCall('lo up', fd, SIOCSIFFLAGS, request);
  } finally {
    closeSync(fd);
  }
}
