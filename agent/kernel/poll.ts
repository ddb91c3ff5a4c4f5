/** Calls poll(2), for a thread that waits for descriptors that libuv cannot watch. */
import { constants } from 'node:os';
import { KernelError, unthrownCall } from './libc.ts';

export const PollEvent = { in: 1, out: 4, error: 8, hangUp: 16 } as const;

const pollCall = unthrownCall('poll', ['void *', 'ulong', 'int']);
const entryBytes = 8;

export interface Polled {
  fd: number;
  events: number;
}

/** Blocks until descriptors are ready and returns them; none after the timeout. -1 waits without limit. */
export function poll(wanted: readonly Polled[], timeoutMs: number): Polled[] {
  const entries = Buffer.alloc(wanted.length * entryBytes);
  for (const [index, { fd, events }] of wanted.entries()) {
    entries.writeInt32LE(fd, index * entryBytes);
    entries.writeInt16LE(events, index * entryBytes + 4);
  }
  const count = pollCall(entries, wanted.length, timeoutMs);
  if (count === -constants.errno.EINTR) return [];
  if (count < 0) throw new KernelError('poll', -count);
  return wanted
    .map(({ fd }, index) => ({ fd, events: entries.readInt16LE(index * entryBytes + 6) }))
    .filter(({ events }) => events !== 0);
}
