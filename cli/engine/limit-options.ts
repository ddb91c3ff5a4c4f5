/** `--cpus`, `--memory`, `--pids` and `--disk`, the same for a new container and for one that exists. */
import type { Command } from 'commander';
import type { HostConfig } from '../../agent/contract/docker.ts';
import { defaultPeriodMicros, type Limits } from '../../agent/contract/limits.ts';
import { type LimitValue, readCountLimit, readCpusLimit, readSizeLimit } from '../sizes.ts';

export interface LimitOptions {
  cpus?: LimitValue;
  memory?: LimitValue;
  pids?: LimitValue;
  disk?: LimitValue;
}

export function withLimitOptions(command: Command): Command {
  return command
    .option('--cpus <number>', 'CPU limit, such as 1.5, or none', readCpusLimit)
    .option('--memory <size>', 'memory limit, such as 512m, or none', readSizeLimit)
    .option('--pids <number>', 'limit of processes and threads, or none', readCountLimit)
    .option(
      '--disk <size>',
      'disk limit of the writable layer, such as 10g, or none',
      readSizeLimit,
    );
}

/** In Docker's fields: 0 asks for no limit, and -1 of processes does. */
export function hostConfigOf(options: LimitOptions): HostConfig {
  const { cpus, memory, pids, disk } = withNull(options);
  return {
    ...(cpus != null && { NanoCpus: Math.round(cpus * 1e9) }),
    ...(memory != null && { Memory: memory }),
    ...(pids !== undefined && { PidsLimit: pids ?? -1 }),
    ...(disk !== undefined && { StorageOpt: { size: String(disk ?? 0) } }),
  };
}

/** The document that changes `before`; what was not asked for stays. */
export function limitsChange(options: LimitOptions, before: Limits): Limits {
  const { cpus, memory, pids, disk } = withNull(options);
  return {
    ...(cpus !== undefined && {
      cpu:
        cpus === null
          ? { quotaMicros: null }
          : {
              quotaMicros: Math.round(cpus * defaultPeriodMicros),
              periodMicros: defaultPeriodMicros,
            },
    }),
    ...(memory !== undefined && {
      memory: { maxBytes: memory, maxWithSwapBytes: withSwap(memory, before) },
    }),
    ...(pids !== undefined && { pids }),
    ...(disk !== undefined && { disk: { maxBytes: disk } }),
  };
}

/** The API's word for no limit is `null`; what was not asked for stays undefined. */
function withNull({ cpus, memory, pids, disk }: LimitOptions) {
  const value = (limit: LimitValue | undefined) => (limit === 'none' ? null : limit);
  return { cpus: value(cpus), memory: value(memory), pids: value(pids), disk: value(disk) };
}

/** The kernel refuses memory above memory and swap together, so the swap stays and the sum follows. */
function withSwap(maxBytes: number | null, { memory = {} }: Limits): number | null {
  const { maxBytes: was, maxWithSwapBytes: sum } = memory;
  return maxBytes === null || was == null || sum == null ? null : maxBytes + (sum - was);
}
