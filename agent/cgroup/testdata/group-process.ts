/** Real processes in real groups, for the tests that need the kernel. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import type { Cgroup } from '../cgroup.ts';

/** Starts a shell line that begins only once it is in the group. */
export function runIn(group: Cgroup, line: string): ChildProcess {
  const child = spawn('/bin/sh', ['-c', `read _; ${line}`], { stdio: ['pipe', 'pipe', 'pipe'] });
  // A child that is killed before it reads breaks the pipe, which no test cares about.
  child.stdin?.on('error', () => {});
  enter(group, child.pid ?? 0);
  child.stdin?.end('\n');
  return child;
}

/** What the shim's child does for itself, done here for another process. */
function enter(group: Cgroup, pid: number): void {
  const { procsFds, directoryFd } = group.placement();
  for (const fd of procsFds) {
    writeSync(fd, String(pid));
    closeSync(fd);
  }
  if (directoryFd === undefined) return;
  writeFileSync(`/proc/self/fd/${directoryFd}/cgroup.procs`, String(pid));
  closeSync(directoryFd);
}

export async function exitOf(
  child: ChildProcess,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

/** A field of /proc/<pid>/status. */
export function statusField(pid: number, field: string): string | undefined {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1];
}
