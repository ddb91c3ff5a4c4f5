/** What a box says of its owner, in figures. */
import type { Limits } from '../../../agent/contract/limits.ts';
import { formatBytes } from '../../messages/format.ts';
import type { Text } from '../../messages/use-text.ts';
import type { Owner, Userspace } from '../../stores/processes.ts';
import type { Measure } from './picture.ts';

const defaultPeriodMicros = 100_000;

/** CPUs that it may use at most. */
export function cpuLimit({ cpu }: Limits): number | undefined {
  const { quotaMicros, periodMicros } = cpu ?? {};
  if (typeof quotaMicros !== 'number') return undefined;
  return quotaMicros / (periodMicros ?? defaultPeriodMicros);
}

export function limitOf(owner: Owner, measure: Measure): number | undefined {
  const limits = owner.container?.limits ?? {};
  return measure === 'cpus' ? cpuLimit(limits) : (limits.memory?.maxBytes ?? undefined);
}

/** Of all that is in use, 0 to 1. */
export function shareOf(owner: Owner, owners: readonly Owner[], measure: Measure): number {
  const total = owners.reduce((sum, one) => sum + one[measure], 0);
  return total > 0 ? owner[measure] / total : 0;
}

export function percent(share: number): string {
  const value = share * 100;
  return value > 0 && value < 1 ? '<1%' : `${Math.round(value)}%`;
}

export function cpuText(cpus: number): string {
  return cpus.toFixed(2);
}

/** Memory, CPUs and processes, each against its limit where it has one. */
export function figuresOf(owner: Owner, t: Text): string[] {
  const limits = owner.container?.limits ?? {};
  const memory = formatBytes(owner.memoryBytes);
  const memoryLimit = limitOf(owner, 'memoryBytes');
  const cpus = cpuText(owner.cpus);
  const cpusLimit = limitOf(owner, 'cpus');
  const count = owner.processCount;
  const isFree =
    owner.container !== undefined &&
    memoryLimit === undefined &&
    cpusLimit === undefined &&
    typeof limits.pids !== 'number';
  return [
    memoryLimit === undefined
      ? memory
      : t('userspace.of', { use: memory, limit: formatBytes(memoryLimit) }),
    cpusLimit === undefined
      ? t('userspace.cpus', { cpus })
      : t('userspace.cpusOf', { use: cpus, limit: String(Math.round(cpusLimit * 100) / 100) }),
    typeof limits.pids === 'number'
      ? t('userspace.processesOf', { count, limit: limits.pids })
      : t('userspace.processes', { count }),
    ...(isFree ? [t('userspace.noLimits')] : []),
  ];
}

/** The machine as a whole. */
export function totalsOf({ usedMemoryBytes, memoryBytes, usedCpus, cpus }: Userspace, t: Text) {
  return [
    t('userspace.memoryUsed', {
      use: formatBytes(usedMemoryBytes),
      total: formatBytes(memoryBytes),
    }),
    t('userspace.cpusUsed', { use: usedCpus === undefined ? '…' : cpuText(usedCpus), total: cpus }),
  ];
}
