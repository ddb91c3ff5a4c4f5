/**
 * What a person should know before a limit changes. The engine says most of it, in a dry run; how
 * busy the CPUs were the last second only the page has seen.
 */
import { useEffect, useState } from 'react';
import type { Limits } from '../../../agent/contract/limits.ts';
import type { StatsSample } from '../../bridge/stats.ts';
import { formatCpuPercent } from '../../messages/format.ts';
import type { Text } from '../../messages/use-text.ts';
import { foreseeLimits } from '../../stores/limits.ts';
import type { Draft } from './draft.ts';

export function cpuWarning(draft: Draft, use: StatsSample | undefined, t: Text) {
  return use && draft.cpus !== undefined && draft.cpus < use.cpus
    ? t('limits.warn.cpus', { use: formatCpuPercent(use.cpus) })
    : undefined;
}

export interface Foreseen {
  warnings: string[];
  /** The engine's words for why it would refuse. */
  refusal: string | undefined;
}

const nothing: Foreseen = { warnings: [], refusal: undefined };
/** Long enough for a slider that is being dragged. */
const settleMs = 300;

/** What the engine says of a change that nobody has made yet. */
export function useForeseen(id: string, change: Limits | undefined): Foreseen {
  const [foreseen, setForeseen] = useState(nothing);
  const asked = change && JSON.stringify(change);
  useEffect(() => {
    setForeseen(nothing);
    if (asked === undefined) return;
    let current = true;
    const timer = setTimeout(async () => {
      const answer = await foreseeLimits(id, JSON.parse(asked) as Limits);
      if (current) setForeseen(answer);
    }, settleMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [id, asked]);
  return foreseen;
}
