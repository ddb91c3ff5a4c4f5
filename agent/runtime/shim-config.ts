/** The configuration of a container's shim, and the descriptors it needs. */
import { closeSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDirectory } from '../kernel/files.ts';
import { cloneOptions } from './container-steps.ts';
import { type ShimConfig, ShimFd } from './plan.ts';
import type { LaunchRequest, LogPlan } from './runtime.ts';
import type { ShimDescriptors } from './shim.ts';

/**
 * Opens the log directory for the shim. Returns a function that closes it once the shim has its
 * copy.
 */
export function openLogDirectory({ log }: LaunchRequest, descriptors: ShimDescriptors): () => void {
  if (log === undefined) return () => {};
  const fd = openDirectory(log.directory);
  descriptors.set(ShimFd.logDirectory, fd);
  return () => closeSync(fd);
}

/** The third argument holds what the shim needs of the sandbox. */
export function containerShimConfig(
  { spec, placement: { directoryFd }, openStdin, log }: LaunchRequest,
  descriptors: ShimDescriptors,
  { terminal = false, pidNamespaceFd }: { terminal?: boolean; pidNamespaceFd?: number | undefined },
): ShimConfig {
  return {
    ...cloneOptions(spec),
    cgroupFd: directoryFd === undefined ? undefined : descriptors.add(directoryFd),
    pidNamespaceFd: pidNamespaceFd === undefined ? undefined : descriptors.add(pidNamespaceFd),
    input: openStdin || terminal,
    output: terminal || log !== undefined,
    terminal,
    log: log === undefined ? undefined : planLog(log),
  };
}

/** Continues in the last log file of an earlier run, and removes files beyond `maxFiles`. */
function planLog({ directory, maxBytes, maxFiles }: LogPlan): NonNullable<ShimConfig['log']> {
  const numbers = readdirSync(directory)
    .map((name) => /^(\d{8})\.log$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number);
  const last = Math.max(1, ...numbers);
  for (const number of numbers)
    if (maxFiles > 0 && number <= last - maxFiles)
      rmSync(join(directory, `${String(number).padStart(8, '0')}.log`), { force: true });
  return { firstFile: last, maxBytes, maxFiles };
}
