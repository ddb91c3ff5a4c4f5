/**
 * What a person should know before a limit changes. The engine says most of it, in a dry run; how
 * busy the CPUs were the last second only the page has seen.
 */
import { useEffect, useState } from 'react';
import type { Limits } from '../../../agent/contract/limits.ts';
import type { StatsSample } from '../../bridge/stats.ts';
import { formatCpus } from '../../messages/format.ts';
import type { Text } from '../../messages/use-text.ts';
import { dryRunLimits } from '../../stores/limits.ts';
import type { Draft } from './draft.ts';

export function cpuWarning(draft: Draft, use: StatsSample | undefined, t: Text) {
  return use && draft.cpus !== undefined && draft.cpus < use.cpus
    ? t('limits.warn.cpus', { use: formatCpus(use.cpus) })
    : undefined;
}

export interface DryRunResult {
  warnings: string[];
  /** The engine's words for why it would refuse. */
  refusal: string | undefined;
}

const nothing: DryRunResult = { warnings: [], refusal: undefined };
/** Long enough for a slider that is being dragged. */
const settleMs = 300;

/**
 * What the engine says of a change that nobody has made yet. `mayApply` is for who applies before that
 * shows (Enter in a number field): it asks at once, and is false when there is something to read first.
 */
export function useDryRun(
  id: string,
  change: Limits | undefined,
): DryRunResult & { mayApply: () => Promise<boolean> } {
  const [shown, setShown] = useState<{ of: string; answer: DryRunResult }>();
  const asked = change && JSON.stringify(change);
  const isShown = shown !== undefined && shown.of === asked;
  // Who comes back to a change has to be told again.
  // biome-ignore lint/correctness/useExhaustiveDependencies: of each change.
  useEffect(() => () => setShown(undefined), [id, asked]);
  useEffect(() => {
    if (asked === undefined || isShown) return;
    let current = true;
    const timer = setTimeout(async () => {
      const answer = await dryRunLimits(id, JSON.parse(asked) as Limits);
      if (current) setShown({ of: asked, answer });
    }, settleMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [id, asked, isShown]);
  const mayApply = async () => {
    if (change === undefined || asked === undefined) return false;
    if (isShown) return true;
    const answer = await dryRunLimits(id, change);
    setShown({ of: asked, answer });
    return answer.warnings.length === 0 && answer.refusal === undefined;
  };
  return { ...(isShown ? shown.answer : nothing), mayApply };
}
