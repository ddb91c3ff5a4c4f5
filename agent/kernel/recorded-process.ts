/** A process that outlives the agent which started it, found again by its number and start time. */
import { closeSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hasErrno } from './libc.ts';
import { awaitEnd, openProcess, signalProcess } from './process.ts';
import { parseStat } from './process-stat.ts';

const SIGKILL = 9;
const patienceMs = 2000;

export function recordProcess(path: string, pid: number): void {
  const stat = statOf(pid);
  if (stat === undefined) throw new Error(`process ${pid} has ended already`);
  writeFileSync(`${path}.new`, `${pid} ${stat.startTicks}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Returns undefined when there is no record or the process has ended. */
export function findRecordedProcess(path: string): number | undefined {
  const [pid, startTicks] = readOrEmpty(path).trim().split(' ');
  if (pid === undefined || startTicks === undefined) return undefined;
  const stat = statOf(Number(pid));
  return stat?.startTicks === BigInt(startTicks) && stat.state !== 'Z' ? Number(pid) : undefined;
}

/** Ends the process if it still runs, and removes the record. */
export function endRecordedProcess(path: string): void {
  const pid = findRecordedProcess(path);
  if (pid !== undefined) endProcess(pid, path);
  rmSync(path, { force: true });
}

function endProcess(pid: number, path: string): void {
  let pidfd: number;
  try {
    pidfd = openProcess(pid);
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return;
    throw error;
  }
  try {
    // The pidfd refers to one process, so a check after it was opened holds.
    if (findRecordedProcess(path) !== pid) return;
    signalProcess(pidfd, SIGKILL);
    awaitEnd(pidfd, patienceMs);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  } finally {
    closeSync(pidfd);
  }
}

function statOf(pid: number) {
  return parseStat(readOrEmpty(`/proc/${pid}/stat`));
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}
