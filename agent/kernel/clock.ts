/** clock_settime(2) for the time of day; how long the kernel's tick is. */
import { libcCall } from './libc.ts';

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC_COARSE = 6;

const clockSettimeCall = libcCall('clock_settime', ['int', 'void *']);
const clockGetresCall = libcCall('clock_getres', ['int', 'void *']);

/** Milliseconds since 1970. Steps at once, for every program of the machine. */
export function setTimeOfDay(timeMs: number): void {
  const timespec = Buffer.alloc(16);
  const seconds = Math.floor(timeMs / 1000);
  timespec.writeBigInt64LE(BigInt(seconds), 0);
  timespec.writeBigInt64LE(BigInt(Math.round((timeMs - seconds * 1000) * 1e6)), 8);
  clockSettimeCall('CLOCK_REALTIME', CLOCK_REALTIME, timespec);
}

/** One second by CONFIG_HZ: the coarse clock moves with the tick (clock_getres(2)). */
export function tickMicros(): number {
  const timespec = Buffer.alloc(16);
  clockGetresCall('CLOCK_MONOTONIC_COARSE', CLOCK_MONOTONIC_COARSE, timespec);
  return Number(timespec.readBigInt64LE(0)) * 1e6 + Number(timespec.readBigInt64LE(8)) / 1000;
}
