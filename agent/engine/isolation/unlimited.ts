/** Which of the three limits that protect a machine (memory, CPU, pids) a container lacks. */
import type { ControllerValues } from '../../cgroup/control-values.ts';
import type { Limits } from '../../contract/limits.ts';

export type FreeResource = 'memory' | 'CPU' | 'processes';

/** Reads the kernel's own values. For a container that does not run the requested limits decide. */
export function unlimited(
  controllers: readonly ControllerValues[],
  { memory, cpu, pids }: Limits,
): FreeResource[] {
  const files = new Map(
    controllers.flatMap(({ values }) => values.map(({ file, value }) => [file, value] as const)),
  );
  const free = (asked: boolean, ...names: string[]) => {
    const known = names.filter((name) => files.has(name));
    if (known.length === 0) return !asked;
    return known.every((name) => isUnlimited(files.get(name) ?? ''));
  };
  const checks: [FreeResource, boolean][] = [
    ['memory', free(typeof memory?.maxBytes === 'number', 'memory.max', 'memory.limit_in_bytes')],
    ['CPU', free(typeof cpu?.quotaMicros === 'number', 'cpu.max', 'cpu.cfs_quota_us')],
    ['processes', free(typeof pids === 'number', 'pids.max')],
  ];
  return checks.filter(([, isFree]) => isFree).map(([resource]) => resource);
}

/** Whether a value means no limit: `max`, `max 100000`, `-1`, or v1's numbers near 2^63. */
function isUnlimited(value: string): boolean {
  const [first = ''] = value.split(' ');
  return first === 'max' || first === '-1' || Number(first) >= 2 ** 60;
}
