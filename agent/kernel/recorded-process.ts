/** Records a process that outlives the agent, and finds it again by its PID and start time. */
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

/** PID of the recorded process; `undefined` without a record or when it has ended. */
export function findRecordedProcess(path: string): number | undefined {
  const [pid, startTicks] = readOrEmpty(path).trim().split(' ');
  if (pid === undefined || startTicks === undefined) return undefined;
  const stat = statOf(Number(pid));
  return stat?.startTicks === BigInt(startTicks) && stat.state !== 'Z' ? Number(pid) : undefined;
}

/** Kills the process if it runs, and removes the record. */
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
    // The pidfd means one process, so a check after it was opened stays true.
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
