/** Reads the line `cpu` of /proc/stat (proc_stat(5)): the times of all CPUs since boot, in ticks. */
import { readFileSync } from 'node:fs';

export interface ProcessorTimes {
  busy: number;
  idle: number;
}

const readStat = () => readFileSync('/proc/stat', 'utf8');

/** The fields are user, nice, system, idle, iowait, irq, softirq and steal; user includes guest time. */
export function processorTicks(stat = readStat()): number[] {
  const [line = ''] = stat.split('\n', 1);
  return line.trim().split(/\s+/).slice(1, 9).map(Number);
}

export function processorTimes(stat = readStat()): ProcessorTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] =
    processorTicks(stat);
  return { busy: user + nice + system + irq + softirq, idle: idle + iowait };
}
