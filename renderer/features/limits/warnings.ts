/** What a person should know before a limit goes below what is used now. */

import type { StatsSample } from '../../bridge/stats.ts';
import { formatBytes, formatCpuPercent } from '../../messages/format.ts';
import type { Text } from '../../messages/use-text.ts';
import type { Draft } from './draft.ts';

export type Warnings = Partial<Record<'cpus' | 'memory' | 'pids', string>>;

export function warningsFor(draft: Draft, use: StatsSample | undefined, t: Text): Warnings {
  if (!use) return {};
  const warnings: Warnings = {};
  if (draft.cpus !== undefined && draft.cpus < use.cpus)
    warnings.cpus = t('limits.warn.cpus', { use: formatCpuPercent(use.cpus) });
  if (draft.memoryBytes !== undefined && draft.memoryBytes < use.memoryBytes)
    warnings.memory = t('limits.warn.memory', { use: formatBytes(use.memoryBytes) });
  if (draft.pids !== undefined && draft.pids < use.pids)
    warnings.pids = t('limits.warn.pids', { use: use.pids });
  return warnings;
}
