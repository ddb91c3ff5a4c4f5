/** Reads a cgroup's limits back from the kernel. They are only shown, never used for decisions. */
import { readdirSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import type { Cgroup } from './cgroup.ts';
import { readControlIfAny } from './control-file.ts';

export interface ControllerValues {
  /** The usual name: `memory`, `cpu`, `io`, … */
  controller: string;
  directory: string;
  values: { file: string; value: string }[];
}

/**
 * The files that hold limits. Counters (`memory.usage_in_bytes`) and actions (`cgroup.kill`) are
 * left out. No name means different things on v1 and v2, so one list serves both.
 */
const limitFiles: Record<string, RegExp> = {
  cpu: /^(shares|cfs_(quota|period|burst)_us|rt_(runtime|period)_us|max|max\.burst|weight|idle|uclamp\.(min|max))$/,
  cpuset: /^(cpus|mems|cpus\.partition|cpu_exclusive|mem_exclusive)$/,
  memory:
    /^(limit_in_bytes|memsw\.limit_in_bytes|soft_limit_in_bytes|kmem\.tcp\.limit_in_bytes|swappiness|oom_control|min|low|high|max|swap\.(max|high)|zswap\.max|oom\.group)$/,
  pids: /^max$/,
  io: /^(max|weight|bfq\.weight|latency)$/,
  blkio:
    /^(weight|weight_device|bfq\.weight|bfq\.weight_device|throttle\.(read|write)_(bps|iops)_device)$/,
  devices: /^list$/,
  freezer: /^state$/,
  hugetlb: /^[^.]+\.(rsvd\.)?(limit_in_bytes|max)$/,
  rdma: /^max$/,
  misc: /^max$/,
  cgroup: /^(freeze|max\.depth|max\.descendants)$/,
};
const shownName: Record<string, string> = { blkio: 'io' };
const longestValue = 8 * 1024;

/**
 * Lists the values by controller. v2's single directory counts for each controller with a limit in
 * it.
 */
export function readControlValues({ paths }: Pick<Cgroup, 'paths'>): ControllerValues[] {
  const found = new Map<string, ControllerValues>();
  for (const [controller, directory] of paths)
    for (const file of filesIn(directory)) {
      const first = file.slice(0, file.indexOf('.'));
      const rest = file.slice(first.length + 1);
      // Some machines keep two controllers of v1 in one directory: each has the files of its name.
      const theirs = controller === '' || controller === first;
      if (!theirs || !limitFiles[first]?.test(rest)) continue;
      const value = readControlIfAny(directory, file);
      if (value === undefined) continue;
      const name = shownName[first] ?? first;
      const group = found.get(name) ?? { controller: name, directory, values: [] };
      found.set(name, group);
      group.values.push({ file, value: value.slice(0, longestValue) });
    }
  return [...found.values()];
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    // The group has just been removed, or the machine has no such controller.
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}
