/** One process in a line (proc_pid_stat(5)). */

/** USER_HZ: the unit of its times, 100 on every architecture that Linux runs Node on (time(7)). */
export const ticksPerSecond = 100;

export interface ProcessStat {
  /** What the process calls itself: any bytes, newlines and parentheses among them. */
  name: string;
  /** `R`, `S`, `D`, `Z`, … */
  state: string;
  parentPid: number;
  /** Device number of its terminal; 0 for none. */
  terminal: number;
  /** Clock ticks in user and kernel mode, without its children. */
  cpuTicks: number;
  threads: number;
  /** Clock ticks since boot. */
  startTicks: bigint;
  residentPages: number;
}

/** Undefined for what is no such line. */
export function parseStat(text: string): ProcessStat | undefined {
  // The name may hold anything, but ends at the last parenthesis: what follows are numbers.
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
