/** The cpuset controller: which CPUs and memory nodes may be used at all. */
import type { CpuLimits } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { readControl, readControlIfAny, writeControl, writeLimit } from './control-file.ts';

const files = { cpus: 'cpuset.cpus', mems: 'cpuset.mems' } as const;

/**
 * A v1 cpuset is born empty, and no process may enter before both lists are filled (ENOSPC,
 * measured). `parent` must have been filled in the same way.
 */
export function inheritCpusetV1(directory: string, parent: string): void {
  for (const file of Object.values(files)) {
    const own = readControlIfAny(directory, file);
    if (own === '' || own === undefined) writeControl(directory, file, readControl(parent, file));
  }
}

/** Lets the kernel fill the cpusets below, so that a start need not do it (cpusets.rst, 1.6). */
export function fillCpusetsBelowV1(directory: string): void {
  writeControl(directory, 'cgroup.clone_children', 1);
}

export function applyCpusetV1(directory: string, parent: string, limits: CpuLimits): void {
  for (const name of ['cpus', 'mems'] as const) {
    const list = limits[name];
    if (list === undefined) continue;
    writeList(directory, name, list ?? readControl(parent, files[name]), () =>
      readControl(parent, files[name]),
    );
  }
}

export function applyCpusetV2(directory: string, parent: string, limits: CpuLimits): void {
  for (const name of ['cpus', 'mems'] as const) {
    const list = limits[name];
    if (list === undefined) continue;
    const available = () => readControlIfAny(parent, `${files[name]}.effective`) ?? '';
    // v2 takes any list and quietly uses what exists of it.
    if (list !== null) checkAvailable(name, list, available());
    // An empty list means the parent's, but it is refused once processes are inside (ENOSPC,
    // measured).
    writeList(directory, name, list ?? available(), available);
  }
}

function writeList(
  directory: string,
  name: 'cpus' | 'mems',
  list: string,
  available: () => string,
): void {
  try {
    writeLimit(directory, files[name], list, name === 'cpus' ? 'CPU list' : 'memory node list');
  } catch (error) {
    // v1: EACCES for CPUs that the parent has not, EINVAL for numbers beyond the machine's.
    if (hasErrno(error, 'EACCES') || hasErrno((error as Error).cause, 'EINVAL', 'ERANGE'))
      throw notAvailable(name, list, available());
    throw error;
  }
}

function checkAvailable(name: 'cpus' | 'mems', list: string, available: string): void {
  const there = new Set(numbersOf(available));
  if (numbersOf(list).some((number) => !there.has(number)))
    throw notAvailable(name, list, available);
}

function notAvailable(name: 'cpus' | 'mems', list: string, available: string) {
  const what = name === 'cpus' ? 'CPUs' : 'memory nodes';
  return invalid(
    `Requested ${what} are not available - requested ${list}, available: ${available}`,
  );
}

/** The numbers of a list such as `0-2,4` (cpuset(7), "List format"). */
export function numbersOf(list: string): number[] {
  return list
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
      const first = Number(match?.[1]);
      const last = Number(match?.[2] ?? match?.[1]);
      if (!match || last < first)
        throw invalid(`Invalid value ${list} for a list of CPUs or nodes: write it as 0-2,4`);
      return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
    });
}
