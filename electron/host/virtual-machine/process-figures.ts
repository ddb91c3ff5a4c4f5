/** The memory and CPU use of a virtual machine's process. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { MachineFigures } from '../../contract/machine.ts';

type ProcessFigures = Pick<MachineFigures, 'hostMemoryBytes' | 'cpuMs'>;

/** Empty for a process that has just ended, and on Windows, which has no command for both. */
export async function processFigures(pid: number | undefined): Promise<ProcessFigures> {
  if (pid === undefined || process.platform === 'win32') return {};
  try {
    if (process.platform === 'linux') return procfsFigures(pid);
    const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
    return psFigures(stdout);
  } catch {
    return {};
  }
}

/** Reads proc_pid_status(5) and proc_pid_stat(5). */
function procfsFigures(pid: number): ProcessFigures {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return {
    hostMemoryBytes: Number(resident) * 1024,
    // The unit is a tick; Linux reports 100 of them a second on every system (USER_HZ).
    cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
  };
}

/** ps(1) prints kibibytes, and `[[dd-]hh:]mm:ss`, on macOS with hundredths. */
export function psFigures(line: string): ProcessFigures {
  const [resident = '', time = ''] = line.trim().split(/\s+/);
  const [days, clock = ''] = time.includes('-') ? time.split('-') : ['0', time];
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return {
    hostMemoryBytes: Number(resident) * 1024,
    cpuMs: Math.round((Number(days) * 86_400 + seconds) * 1000),
  };
}
