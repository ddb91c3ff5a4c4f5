/**
 * `docker top`: a container's processes with their host pids. No program of the container is
 * executed. The default columns come from /proc; other columns come from the host's ps(1).
 */
import { execFile } from 'node:child_process';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import type { ContainersBackend } from '../../api/containers/backend.ts';
import { CortenError, invalid } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { parseStat, ticksPerSecond } from '../../kernel/process-stat.ts';

type Listing = Awaited<ReturnType<ContainersBackend['top']>>;
const psOutputLimitBytes = 16 * 1024 * 1024;

export async function top(pids: readonly number[], psArguments: string): Promise<Listing> {
  const wanted = psArguments.trim();
  if (wanted === '' || wanted === '-ef') return fullListing(pids);
  return filterPs(await runPs(wanted.split(/\s+/)), pids);
}

/** The columns of `ps -ef`. */
function fullListing(pids: readonly number[]): Listing {
  const users = userNames();
  const bootSeconds = Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
  const processes = [...pids]
    .sort((a, b) => a - b)
    .map((pid) => row(pid, users, bootSeconds))
    .filter((columns) => columns !== undefined);
  return { titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], processes };
}

/** Undefined for a process that ended meanwhile. */
function row(
  pid: number,
  users: ReadonlyMap<number, string>,
  bootSeconds: number,
): string[] | undefined {
  try {
    const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (stat === undefined) return undefined;
    const cpuSeconds = stat.cpuTicks / ticksPerSecond;
    const startSeconds = bootSeconds + Number(stat.startTicks) / ticksPerSecond;
    const ageSeconds = Math.max(Date.now() / 1000 - startSeconds, 0.01);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '');
    const uid = statSync(`/proc/${pid}`).uid;
    return [
      users.get(uid) ?? String(uid),
      String(pid),
      String(stat.parentPid),
      String(Math.min(99, Math.floor((cpuSeconds / ageSeconds) * 100))),
      startTime(startSeconds),
      terminalOf(pid, stat.terminal),
      duration(cpuSeconds),
      command === '' ? `[${stat.name}]` : command.replaceAll('\0', ' '),
    ];
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

function terminalOf(pid: number, device: number): string {
  if (device === 0) return '?';
  try {
    const path = readlinkSync(`/proc/${pid}/fd/0`);
    return path.startsWith('/dev/') ? path.slice('/dev/'.length) : '?';
  } catch (error) {
    // Stdin is closed or the process has ended, so the terminal has no name.
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES')) return '?';
    throw error;
  }
}

/** Start time as ps(1) shows it: the time of day for today, otherwise month and day. */
function startTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (date.toDateString() === new Date().toDateString()) return date.toTimeString().slice(0, 5);
  return date.toDateString().slice(4, 10).replace(' ', '');
}

function duration(seconds: number): string {
  const parts = [
    Math.floor(seconds / 3600),
    Math.floor(seconds / 60) % 60,
    Math.floor(seconds) % 60,
  ];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/**
 * User names come from the host, as with dockerd, because a container's passwd cannot be trusted.
 */
function userNames(): Map<number, string> {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  return new Map(
    lines
      .map((line) => line.split(':'))
      .map(([name, , uid]) => [Number(uid), name ?? ''] as const)
      .filter(([, name]) => name !== ''),
  );
}

function runPs(options: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { maxBuffer: psOutputLimitBytes, timeout: 10_000 };
    execFile('ps', options, limits, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (hasErrno(error, 'ENOENT'))
        reject(
          new CortenError(
            'unavailable',
            'ps is missing on the machine; install the package "procps", or ask without arguments',
            { cause: error },
          ),
        );
      else reject(invalid(`ps ${options.join(' ')}: ${stderr.trim().split('\n')[0]}`, error));
    });
  });
}

/** ps lists all processes of the machine, and only the container's lines may be returned. */
export function filterPs(output: string, pids: readonly number[]): Listing {
  const [head = '', ...lines] = output.split('\n');
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn === -1)
    throw invalid("Couldn't find PID field in ps output: choose columns that include pid");
  const wanted = new Set(pids.map(String));
  const processes = lines
    .map((line) => columnsOf(line, titles.length))
    .filter((columns) => wanted.has(columns[pidColumn] ?? ''));
  return { titles, processes };
}

/** Splits a line of ps. The last column, the command, keeps its spaces. */
function columnsOf(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}
