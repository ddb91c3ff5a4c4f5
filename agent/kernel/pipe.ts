/** Creates pipes with pipe2(2). */
import { O_CLOEXEC } from './files.ts';
import { libcCall } from './libc.ts';

const pipe2Call = libcCall('pipe2', ['void *', 'int']);

export function makePipe(): { readFd: number; writeFd: number } {
  const fds = Buffer.alloc(8);
  pipe2Call(undefined, fds, O_CLOEXEC);
  return { readFd: fds.readInt32LE(0), writeFd: fds.readInt32LE(4) };
}
