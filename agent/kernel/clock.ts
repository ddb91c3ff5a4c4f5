/** clock_settime(2) for the time of day. */
import { libcCall } from './libc.ts';

const CLOCK_REALTIME = 0;

const clockSettimeCall = libcCall('clock_settime', ['int', 'void *']);

/** Milliseconds since 1970. Steps at once, for every program of the machine. */
export function setTimeOfDay(timeMs: number): void {
  const timespec = Buffer.alloc(16);
  const seconds = Math.floor(timeMs / 1000);
  timespec.writeBigInt64LE(BigInt(seconds), 0);
  timespec.writeBigInt64LE(BigInt(Math.round((timeMs - seconds * 1000) * 1e6)), 8);
  clockSettimeCall('CLOCK_REALTIME', CLOCK_REALTIME, timespec);
}
