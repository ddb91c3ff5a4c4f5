/** Finds a container's processes without a cgroup: those below its shim. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import { type ProcessStat, parseStat } from '../kernel/process-stat.ts';

export interface ContainerProcess {
  pid: number;
  stat: ProcessStat;
}

/** The shim's arguments are its name and that of its run directory, which is the container's. */
const shimCommand = (container: string) => `corten-shim\0${container}\0`;

/**
 * The first process and all that live in its pid namespace, or below it. Empty once the shim has gone. One
 * that joined with `--pid container:` is below its own shim, and is that container's.
 */
export function processesOf(container: string): ContainerProcess[] {
  const all = everyProcess();
  const command = shimCommand(container);
  const own = namespaceOf('self');
  const shim = all.find(
    ({ pid, stat }) =>
      stat.name === 'corten-shim' &&
      readOrEmpty(`/proc/${pid}/cmdline`) === command &&
      // A process may choose any name in its own pid namespace, so the namespace decides.
      namespaceOf(pid) === own,
  );
  if (shim === undefined) return [];
  const children = Map.groupBy(all, ({ stat }) => stat.parentPid);
  const below = (pid: number): ContainerProcess[] =>
    (children.get(pid) ?? []).flatMap((child) => [child, ...below(child.pid)]);
  const found = new Map(below(shim.pid).map((process) => [process.pid, process]));
  const [first] = children.get(shim.pid) ?? [];
  const inside = first && namespaceOf(first.pid);
  if (inside !== undefined && inside !== own)
    // Processes that an exec brought in are included.
    for (const process of all)
      if (namespaceOf(process.pid) === inside) found.set(process.pid, process);
  return [...found.values()];
}

function everyProcess(): ContainerProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? parseStat(readOrEmpty(`/proc/${name}/stat`)) : undefined;
    return stat === undefined ? [] : [{ pid: Number(name), stat }];
  });
}

/** Returns undefined for a process that has ended or is not the agent's. */
function namespaceOf(pid: number | 'self'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // The process ended, or /proc hides it (hidepid).
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return '';
    throw error;
  }
}
