/** Sets the time of day (clock_settime(2)) and reads the length of the kernel's tick. */
import { libcCall } from './libc.ts';

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC_COARSE = 6;

const clockSettimeCall = libcCall('clock_settime', ['int', 'void *']);
const clockGetresCall = libcCall('clock_getres', ['int', 'void *']);

/** Sets the clock to milliseconds since 1970, at once and for every program of the machine. */
export function setTimeOfDay(timeMs: number): void {
  const timespec = Buffer.alloc(16);
  const seconds = Math.floor(timeMs / 1000);
  timespec.writeBigInt64LE(BigInt(seconds), 0);
  timespec.writeBigInt64LE(BigInt(Math.round((timeMs - seconds * 1000) * 1e6)), 8);
  clockSettimeCall('CLOCK_REALTIME', CLOCK_REALTIME, timespec);
}

/**
 * Length of a tick in microseconds: the resolution of the coarse clock, which advances with the tick
 * (clock_getres(2)).
 */
export function tickMicros(): number {
  const timespec = Buffer.alloc(16);
  clockGetresCall('CLOCK_MONOTONIC_COARSE', CLOCK_MONOTONIC_COARSE, timespec);
  return Number(timespec.readBigInt64LE(0)) * 1e6 + Number(timespec.readBigInt64LE(8)) / 1000;
}
