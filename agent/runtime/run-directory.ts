/**
 * A run directory: what of a process outlives the agent.
 *
 * - `alive`: a FIFO that the shim alone holds open for writing. Its first 12 bytes are the shim's
 *   report on the start, its last 12 how the process ended; its end of file is the shim's death.
 * - `pids`: `<shim pid> <shim start time> <child pid> <child start time>`, start times in clock
 *   ticks since boot, so that a reused pid is not taken for the process.
 * - `log`: `<bytes a file> <files>`, 0 for no limit; what the log's limits became since the start.
 *   The shim reads it on SIGUSR2.
 * - `exit`: `<exit code> <signal, or 0> <nanoseconds since the epoch>`, renamed into place.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFifo, O_CLOEXEC } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { parseStat } from '../kernel/process-stat.ts';
import type { ExitRecord, LogPlan } from './runtime.ts';

export interface Pids {
  shimPid: number;
  shimStartTime: bigint;
  childPid: number;
  childStartTime: bigint;
  /** The time at which the shim wrote the file. */
  startedAt: Date;
}

/** Makes the directory, or removes what an earlier process left in it. */
export function makeRunDirectory(path: string): { aliveReadFd: number; aliveWriteFd: number } {
  const made = mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
  if (!made)
    for (const name of ['pids', 'exit', 'alive', 'log']) rmSync(join(path, name), { force: true });
  const alive = join(path, 'alive');
  makeFifo(alive, 0o600);
  const aliveReadFd = openAlive(path);
  // There is a reader, so the open does not block.
  return { aliveReadFd, aliveWriteFd: openSync(alive, constants.O_WRONLY | O_CLOEXEC) };
}

export function openAlive(path: string): number {
  return openSync(join(path, 'alive'), constants.O_RDONLY | constants.O_NONBLOCK | O_CLOEXEC);
}

export function readPids(path: string): Pids | undefined {
  const record = readNumbers(join(path, 'pids'));
  if (record === undefined || record.numbers.length < 4) return undefined;
  const { numbers, writtenAt } = record;
  const [shimPid, shimStartTime, childPid, childStartTime] = numbers as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return {
    shimPid: Number(shimPid),
    shimStartTime,
    childPid: Number(childPid),
    childStartTime,
    startedAt: writtenAt,
  };
}

export function readExit(path: string): ExitRecord | undefined {
  const numbers = readNumbers(join(path, 'exit'))?.numbers;
  if (numbers === undefined || numbers.length < 3) return undefined;
  const [exitCode, signal, nanoseconds] = numbers as [bigint, bigint, bigint];
  return {
    exitCode: Number(exitCode),
    signal: signal === 0n ? undefined : Number(signal),
    finishedAt: new Date(Number(nanoseconds / 1_000_000n)),
  };
}

/** Renames the file into place, so that the shim never reads half of it. */
export function writeLogLimits(
  path: string,
  { maxBytes, maxFiles }: Pick<LogPlan, 'maxBytes' | 'maxFiles'>,
): void {
  const fresh = join(path, 'log.new');
  writeFileSync(fresh, `${maxBytes} ${maxFiles}\n`, { mode: 0o600 });
  renameSync(fresh, join(path, 'log'));
}

/** Whether this very process still runs, and not another one with a reused pid. */
export function isSameProcess(pid: number, startTime: bigint): boolean {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return stat?.startTicks === startTime && stat.state !== 'Z' && stat.state !== 'X';
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

/**
 * The shim of a failed start may remove `pids` at any time, so content and time are read from one
 * open file.
 */
function readNumbers(file: string): { numbers: bigint[]; writtenAt: Date } | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | O_CLOEXEC);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const words = readFileSync(fd, 'utf8').trim().split(' ');
    // A crash of the machine can leave a file without its content.
    if (!words.every((word) => /^\d+$/.test(word))) return undefined;
    return { numbers: words.map(BigInt), writtenAt: fstatSync(fd).mtime };
  } finally {
    closeSync(fd);
  }
}
