/** Parses the status line of a process (proc_pid_stat(5)). */

/** USER_HZ, the unit of times: 100 on every architecture on which Linux runs Node (time(7)). */
export const ticksPerSecond = 100;

export interface ProcessStat {
  /** Name chosen by the process: any bytes, including newlines and parentheses. */
  name: string;
  /** State such as `R`, `S`, `D` or `Z`. */
  state: string;
  parentPid: number;
  /** Device number of its terminal, 0 for none. */
  terminal: number;
  /** Clock ticks in user and kernel mode, without children. */
  cpuTicks: number;
  threads: number;
  /** Clock ticks since boot. */
  startTicks: bigint;
  residentPages: number;
}

/** Returns `undefined` for a malformed line. */
export function parseStat(text: string): ProcessStat | undefined {
  // The name may contain anything, but ends at the last parenthesis, because numbers follow.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const start = fields[19];
  if (end === -1 || start === undefined || !/^\d+$/.test(start.trim())) return undefined;
  const at = (index: number) => Number(fields[index] ?? 0);
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '',
    parentPid: at(1),
    terminal: at(4),
    cpuTicks: at(11) + at(12),
    threads: at(17),
    startTicks: BigInt(start.trim()),
    residentPages: at(21),
  };
}
