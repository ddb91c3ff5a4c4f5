/** An agent's state on a small file system in memory, for what happens when that is full. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { type AgentProcess, endWithContainers, makeAgentDirectory } from './agent-process.ts';

/** The directory for `startAgent`. */
export function makeSmallDisk(megabytes: number): string {
  const directory = makeAgentDirectory();
  const options = `size=${megabytes}m,mode=700`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', `${directory}/root`]);
  return directory;
}

/** `agent` is undefined if it never started. */
export async function discardSmallDisk(directory: string, agent?: AgentProcess): Promise<void> {
  // After a failure anything may be left, and no complaint about that should come before its cause.
  if (agent !== undefined) await endWithContainers(agent);
  execFileSync('umount', ['--lazy', `${directory}/root`]);
  rmSync(directory, { recursive: true, force: true });
}
