/** Somebody who answers for SCMP_ACT_NOTIFY (seccomp_unotify(2)). */
import { libcCall } from '../../kernel/libc.ts';

const RECEIVE = 0xc0502100;
const SEND = 0xc0182101;
const POLLIN = 1;
const patienceMs = 60_000;

const ioctlCall = libcCall('ioctl', ['int', 'ulong', 'void *']);
const pollCall = libcCall('poll', ['void *', 'ulong', 'int']);

/** Waits for one call, and has it succeed without having been made. */
export function pretendSuccess(listenerFd: number): void {
  const polled = Buffer.alloc(8);
  polled.writeInt32LE(listenerFd, 0);
  polled.writeInt16LE(POLLIN, 4);
  if (pollCall('seccomp listener', polled, 1, patienceMs) === 0) throw new Error('nobody asked');
  const question = Buffer.alloc(80);
  ioctlCall('seccomp question', listenerFd, RECEIVE, question);
  const answer = Buffer.alloc(24);
  question.copy(answer, 0, 0, 8);
  ioctlCall('seccomp answer', listenerFd, SEND, answer);
}
