/**
 * Limits from what was used. A limit that was in the way hides what would have been used, so then
 * the limit itself is raised; otherwise it is use and headroom, once enough was seen.
 */
import { defaultPeriodMicros, type Limits } from '../../contract/limits.ts';
import type {
  PressureSample,
  Suggestion,
  SuggestionReason,
  SuggestionsDocument,
} from '../../contract/pressure.ts';
import { cpusOf } from '../metrics/history.ts';
import { throttledShare } from './limit-events.ts';

/** Use of less than this says nothing of the next hour. */
export const neededSeconds = 300;
/** A limit that was reached needs no more than this to be seen in the way. */
const evidenceSeconds = 10;

const MiB = 1024 ** 2;

/** A CPU limit slows, so use that is rare may go beyond it; the others refuse or kill. */
const headroom = { cpu: 0.25, memory: 0.25, pids: 0.5 } as const;
const raise = { cpu: 0.5, memory: 0.5, pids: 1 } as const;
/** A limit this close to what would be suggested stays. */
const closeEnough = 0.2;

export interface Machine {
  cpus: number;
  memoryBytes: number;
}

export function suggestLimits(
  id: string,
  samples: readonly PressureSample[],
  limits: Limits,
  machine: Machine,
): SuggestionsDocument {
  const observedSeconds =
    Math.round(samples.reduce((sum, { intervalMs }) => sum + intervalMs, 0) / 100) / 10;
  const suggest = (facts: Facts) => suggestion(facts, samples, observedSeconds);
  const cpu = suggest({
    use: cpusOf,
    base: 'p95',
    limited: ({ cpu: { periods, throttledPeriods } }) =>
      periods > 0 && throttledPeriods / periods > throttledShare,
    limitedSecondsNeeded: evidenceSeconds,
    limit: cpusOfLimits(limits),
    headroom: headroom.cpu,
    raise: raise.cpu,
    // Twentieths of a CPU; less than one is no limit anybody wants.
    round: (cpus) => Math.max(0.05, Math.ceil(cpus * 20 - 1e-9) / 20),
    most: machine.cpus,
  });
  const memory = suggest({
    use: ({ memory }) => memory.usedBytes,
    base: 'peak',
    limited: ({ memory, oomKills }) =>
      oomKills > 0 ||
      (memory.limitHits > 0 &&
        memory.limitBytes !== null &&
        memory.usedBytes >= memory.limitBytes * 0.9),
    limitedSecondsNeeded: 0,
    limit: limits.memory?.maxBytes ?? null,
    headroom: headroom.memory,
    raise: raise.memory,
    round: (bytes) => Math.max(16 * MiB, Math.ceil(bytes / (4 * MiB)) * 4 * MiB),
    most: machine.memoryBytes,
  });
  const pids = suggest({
    use: ({ pids }) => pids.current,
    base: 'peak',
    limited: ({ pids }) => pids.refusals > 0,
    limitedSecondsNeeded: 0,
    limit: limits.pids ?? null,
    headroom: headroom.pids,
    raise: raise.pids,
    round: (count) => Math.max(16, Math.ceil(count / 4) * 4),
    // kernel/pid.c: PID_MAX_LIMIT on 64 bits.
    most: 4_194_304,
  });
  return {
    id,
    observedSeconds,
    neededSeconds,
    cpu: {
      ...cpu,
      limits:
        cpu.limits === null
          ? null
          : {
              quotaMicros: Math.round(cpu.limits * defaultPeriodMicros),
              periodMicros: defaultPeriodMicros,
            },
    },
    memory: { ...memory, limits: memory.limits === null ? null : { maxBytes: memory.limits } },
    pids,
  };
}

interface Facts {
  use: (sample: PressureSample) => number;
  base: 'p95' | 'peak';
  /** Whether the limit was in the way. */
  limited: (sample: PressureSample) => boolean;
  limitedSecondsNeeded: number;
  limit: number | null;
  headroom: number;
  raise: number;
  round: (value: number) => number;
  /** What the machine has. */
  most: number;
}

function suggestion(
  facts: Facts,
  samples: readonly PressureSample[],
  observedSeconds: number,
): Suggestion<number> {
  const values = Float64Array.from(samples, facts.use).sort();
  const peak = values.at(-1) ?? 0;
  const p95 = percentile(values, 0.95);
  const limited = samples.filter(facts.limited);
  const limitedSeconds =
    Math.round(limited.reduce((sum, { intervalMs }) => sum + intervalMs, 0) / 100) / 10;
  const { limit, most } = facts;
  const inTheWay =
    limit !== null && limited.length > 0 && limitedSeconds >= facts.limitedSecondsNeeded;
  const headroomShare = inTheWay ? facts.raise : facts.headroom;
  const base = inTheWay ? limit : facts.base === 'p95' ? p95 : peak;
  const value = Math.min(most, facts.round(base * (1 + headroomShare)));
  const answer = (reason: SuggestionReason) => ({
    limits: reason === 'use' || reason === 'limit-reached' ? value : null,
    reason,
    peak: Math.round(peak * 1000) / 1000,
    p95: Math.round(p95 * 1000) / 1000,
    limit,
    headroomShare,
    limitedSeconds,
  });
  if (inTheWay) return answer(value > limit ? 'limit-reached' : 'machine-full');
  if (observedSeconds < neededSeconds) return answer('too-little-seen');
  // More than the machine has is no limit.
  if (value >= most && limit === null) return answer('machine-full');
  if (limit !== null && Math.abs(value - limit) <= limit * closeEnough) return answer('fits');
  return answer('use');
}

/** Of ascending values, by the nearest rank: the least that `share` of them do not exceed. */
export function percentile(ascending: ArrayLike<number>, share: number): number {
  const rank = Math.ceil(ascending.length * share);
  return ascending[Math.max(0, rank - 1)] ?? 0;
}

function cpusOfLimits({ cpu }: Limits): number | null {
  return cpu?.quotaMicros ? cpu.quotaMicros / (cpu.periodMicros ?? defaultPeriodMicros) : null;
}
