import type { PressureDocument, Suggestion, SuggestionsDocument } from '../../bridge/pressure.ts';
import { formatAge, formatBytes } from '../../messages/format.ts';
import { type Text, useText } from '../../messages/use-text.ts';
import { usePressure } from '../../stores/pressure.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import type { Draft } from './draft.ts';

type Limit = 'cpu' | 'memory' | 'pids';

/** What a limit did in the last hour, and another one that would fit what was used. */
export function Advice({
  id,
  limit,
  busy,
  onUse,
}: {
  id: string;
  limit: Limit;
  busy: boolean;
  /** Applies what is suggested, at once. */
  onUse: (part: Partial<Draft>) => void;
}) {
  const t = useText();
  const now = usePressure((state) => (state.id === id ? state.now : undefined));
  const suggestions = usePressure((state) => (state.id === id ? state.suggestions : undefined));
  const troubles = now ? troublesOf(limit, now, t) : [];
  const strain = now ? strainOf(limit, now, t) : undefined;
  return (
    <div className="advice">
      {troubles.map((text) => (
        <span key={text} className="field-warning">
          <Icon name="warning" size={14} />
          {text}
        </span>
      ))}
      {strain ? <span className="field-note">{strain}</span> : null}
      {suggestions ? (
        <Offer suggestions={suggestions} limit={limit} busy={busy} onUse={onUse} />
      ) : null}
    </div>
  );
}

function Offer({
  suggestions,
  limit,
  busy,
  onUse,
}: {
  suggestions: SuggestionsDocument;
  limit: Limit;
  busy: boolean;
  onUse: (part: Partial<Draft>) => void;
}) {
  const t = useText();
  const { observedSeconds, neededSeconds } = suggestions;
  const part = partOf(limit, suggestions);
  if (part)
    return (
      <div className="advice-offer">
        <Button disabled={busy} onClick={() => onUse(part)}>
          {t('advice.use', { value: suggestedValue(limit, part) })}
        </Button>
        <span className="field-note">
          {reasonOf(limit, suggestions[limit], observedSeconds, t)}
        </span>
      </div>
    );
  if (suggestions[limit].reason !== 'too-little-seen') return null;
  return (
    <span className="field-note">
      {t('advice.tooLittle', {
        seen: formatAge(observedSeconds * 1000),
        needed: formatAge(neededSeconds * 1000),
      })}
    </span>
  );
}

function troublesOf(limit: Limit, { lastHour }: PressureDocument, t: Text): string[] {
  const { periods, throttledPeriods, oomKills, memoryLimitHits, pidsRefusals } = lastHour;
  const share = periods === 0 ? 0 : Math.round((throttledPeriods / periods) * 100);
  switch (limit) {
    case 'cpu':
      return share > 0 ? [t('advice.throttled', { share })] : [];
    case 'memory':
      return [
        ...(oomKills > 0 ? [t('advice.oomKills', { count: oomKills })] : []),
        ...(memoryLimitHits > 0 ? [t('advice.limitHits', { count: memoryLimitHits })] : []),
      ];
    case 'pids':
      return pidsRefusals > 0 ? [t('advice.refusals', { count: pidsRefusals })] : [];
  }
}

/** Pressure at this moment, where the kernel tells it of a container. */
function strainOf(limit: Limit, { sample }: PressureDocument, t: Text): string | undefined {
  if (limit === 'pids' || !sample?.stall) return undefined;
  const share = Math.round(sample.stall[limit].some * 100);
  return t(limit === 'cpu' ? 'advice.waitsForCpu' : 'advice.waitsForMemory', { share });
}

function partOf(
  limit: Limit,
  { cpu, memory, pids }: SuggestionsDocument,
): Partial<Draft> | undefined {
  switch (limit) {
    case 'cpu':
      return cpu.limits ? { cpus: cpu.limits.quotaMicros / cpu.limits.periodMicros } : undefined;
    case 'memory':
      return memory.limits ? { memoryBytes: memory.limits.maxBytes } : undefined;
    case 'pids':
      return pids.limits === null ? undefined : { pids: pids.limits };
  }
}

function suggestedValue(limit: Limit, part: Partial<Draft>): string {
  const { cpus = 0, memoryBytes = 0, pids = 0 } = part;
  return shown(limit, limit === 'cpu' ? cpus : limit === 'memory' ? memoryBytes : pids);
}

function reasonOf(
  limit: Limit,
  { reason, peak, p95, headroomShare, limitedSeconds }: Suggestion<unknown>,
  observedSeconds: number,
  t: Text,
): string {
  return t(reason === 'limit-reached' ? 'advice.raise' : 'advice.fromUse', {
    peak: shown(limit, peak),
    p95: shown(limit, p95),
    headroom: Math.round(headroomShare * 100),
    limited: formatAge(Math.max(1, limitedSeconds) * 1000),
    seen: formatAge(observedSeconds * 1000),
  });
}

function shown(limit: Limit, value: number): string {
  if (limit === 'memory') return formatBytes(value);
  const rounded = Math.round(value * 100) / 100;
  return limit === 'cpu' ? `${rounded} ${rounded === 1 ? 'CPU' : 'CPUs'}` : String(rounded);
}
