/** The line `cpu` of /proc/stat (proc_stat(5)): what all processors together have done since the boot, in ticks. */
import { readFileSync } from 'node:fs';

export interface ProcessorTimes {
  busy: number;
  idle: number;
}

const readStat = () => readFileSync('/proc/stat', 'utf8');

/** user nice system idle iowait irq softirq steal; guest time is in user already. */
export function processorTicks(stat = readStat()): number[] {
  const [line = ''] = stat.split('\n', 1);
  return line.trim().split(/\s+/).slice(1, 9).map(Number);
}

export function processorTimes(stat = readStat()): ProcessorTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] =
    processorTicks(stat);
  return { busy: user + nice + system + irq + softirq, idle: idle + iowait };
}
