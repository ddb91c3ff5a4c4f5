/** What the shim of a container does itself, and what it needs open for that. */
import { closeSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDirectory } from '../kernel/files.ts';
import { cloneOptions } from './container-steps.ts';
import { type ShimConfig, ShimFd } from './plan.ts';
import type { LaunchRequest, LogPlan } from './runtime.ts';
import type { ShimDescriptors } from './shim.ts';

/** Opened for the shim, which has its own copy once it has told of the start. Returns what closes it. */
export function openLogDirectory({ log }: LaunchRequest, descriptors: ShimDescriptors): () => void {
  if (log === undefined) return () => {};
  const fd = openDirectory(log.directory);
  descriptors.set(ShimFd.logDirectory, fd);
  return () => closeSync(fd);
}

/** `made`: what the sandbox has, of what the shim itself needs. */
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

/** Goes on in the last file of an earlier run, and drops what is beyond `maxFiles`. */
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
