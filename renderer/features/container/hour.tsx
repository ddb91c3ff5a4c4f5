import { type ReactNode, useEffect, useMemo } from 'react';
import type { HistoryDocument, LimitEvent } from '../../bridge/pressure.ts';
import { formatAge, formatBytes, formatCpuPercent } from '../../messages/format.ts';
import { type Text, useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { followHistory, usePressure } from '../../stores/pressure.ts';
import { Timeline, type TimelineMark } from '../../ui/timeline.tsx';
import { useCpuLimit } from './charts.tsx';
import { recentPart } from './recent-part.ts';
import './hour.css';

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const shownEvents = 6;

/** The last hour of a container: what it used, and what its limits did to it. */
export function Hour({ row }: { row: ContainerRow }) {
  const t = useText();
  useEffect(() => followHistory(row.id), [row.id]);
  const whole = usePressure((state) => (state.id === row.id ? state.history : undefined));
  const history = useMemo(() => whole && recentPart(whole), [whole]);
  const summary = useMemo(() => history && summarize(history), [history]);
  const cpuLimit = useCpuLimit(row.id);
  // One that never ran has no hour, and says so above.
  if (!history || !summary || summary.observedSeconds === 0) return null;
  return (
    <section className="card hour" aria-label={t('hour.title')}>
      <div className="hour-head">
        <h2>{t('hour.title')}</h2>
        <span className="muted">
          {t('hour.observed', { time: formatAge(summary.observedSeconds * 1000) })}
        </span>
        <span className="spacer" />
        {summary.throttled ? (
          <span className="timeline-key band">{t('hour.key.throttled')}</span>
        ) : null}
        {history.events.length > 0 ? (
          <span className="timeline-key mark">{t('hour.key.event')}</span>
        ) : null}
        <span className="timeline-key limit">{t('hour.key.limit')}</span>
      </div>
      <div className="hour-charts">
        <CpuHour history={history} limit={cpuLimit} />
        <MemoryHour history={history} />
        <PidsHour history={history} />
      </div>
      <Events events={history.events} />
    </section>
  );
}

function CpuHour({ history, limit }: { history: HistoryDocument; limit: number | undefined }) {
  const t = useText();
  const { cpus, cpusPeak, throttledShare } = history.columns;
  const peak = highest(cpusPeak);
  return (
    <Part
      title={t('overview.cpu')}
      peak={t('hour.peak', { peak: formatCpuPercent(peak) })}
      label={t('hour.cpuLabel', {
        peak: formatCpuPercent(peak),
        throttled: Math.round(meanOf(throttledShare) * 100),
      })}
      values={cpus}
      history={history}
      ceiling={Math.max(0.1, withLimit(highest(cpus), limit ?? 0))}
      // The one that is set now: earlier ones are not kept.
      limits={cpus.map((cpu) => (cpu === null ? null : (limit ?? null)))}
      banded={throttledShare.map((share) => share !== null && share > 0.1)}
      marks={marksOf(history, ['throttled'], t)}
    />
  );
}

function MemoryHour({ history }: { history: HistoryDocument }) {
  const t = useText();
  const { memoryBytes, memoryLimitBytes, oomKills } = history.columns;
  const peak = highest(memoryBytes);
  const limit = highest(memoryLimitBytes);
  return (
    <Part
      title={t('overview.memory')}
      peak={t('hour.peak', { peak: formatBytes(peak) })}
      label={t('hour.memoryLabel', { peak: formatBytes(peak), kills: sum(oomKills) })}
      history={history}
      values={memoryBytes}
      ceiling={Math.max(1, withLimit(peak, limit))}
      limits={memoryLimitBytes}
      banded={[]}
      marks={marksOf(history, ['oom-kill', 'memory-limit'], t)}
    />
  );
}

function PidsHour({ history }: { history: HistoryDocument }) {
  const t = useText();
  const { pids, pidsLimit, pidsRefusals } = history.columns;
  const peak = highest(pids);
  return (
    <Part
      title={t('overview.pids')}
      peak={t('hour.peak', { peak })}
      label={t('hour.pidsLabel', { peak, refusals: sum(pidsRefusals) })}
      history={history}
      values={pids}
      ceiling={Math.max(4, withLimit(peak, highest(pidsLimit)))}
      limits={pidsLimit}
      banded={[]}
      marks={marksOf(history, ['pids-full'], t)}
    />
  );
}

function Part({
  title,
  peak,
  history,
  ...timeline
}: {
  title: string;
  peak: ReactNode;
  history: HistoryDocument;
} & Parameters<typeof Timeline>[0]) {
  const t = useText();
  const minutes = (history.columns.cpus.length * history.stepSeconds) / 60;
  return (
    <div className="hour-part">
      <div className="hour-words">
        <h3>{title}</h3>
        <span className="muted">{peak}</span>
      </div>
      <Timeline {...timeline} />
      <div className="hour-axis muted" aria-hidden="true">
        <span>{t('hour.ago', { minutes })}</span>
        <span>{minutes / 2}</span>
        <span>{t('hour.now')}</span>
      </div>
    </div>
  );
}

function Events({ events }: { events: readonly LimitEvent[] }) {
  const t = useText();
  if (events.length === 0) return null;
  const newest = events.slice(-shownEvents).reverse();
  return (
    <ul className="hour-events" aria-label={t('hour.events')}>
      {newest.map((event) => (
        <li key={`${event.atMs} ${event.kind} ${event.process?.pid ?? ''}`}>
          <time className="muted">{clock.format(event.atMs)}</time>
          <span>{limitEventSentence(event, t)}</span>
        </li>
      ))}
      {events.length > shownEvents ? (
        <li className="muted">{t('hour.earlier', { count: events.length - shownEvents })}</li>
      ) : null}
    </ul>
  );
}

function limitEventSentence(event: LimitEvent, t: Text) {
  const { kind, count, process, cause, unknown, volume } = event;
  if (kind === 'disk-full') {
    if (volume !== undefined) return t('limit-event.disk-volume', { volume });
    return t(cause === 'machine' ? 'limit-event.disk-machine' : 'limit-event.disk-limit');
  }
  if (kind !== 'oom-kill') return t(`limit-event.${kind}`, { count });
  if (process === undefined) return t('limit-event.oom-unknown', { count, reason: unknown ?? '' });
  return t(cause === 'machine' ? 'limit-event.oom-machine' : 'limit-event.oom-kill', {
    process: process.name,
    pid: process.pid,
    memory: formatBytes(process.memoryBytes),
  });
}

function marksOf(
  { events, fromMs, stepSeconds, columns }: HistoryDocument,
  kinds: readonly LimitEvent['kind'][],
  t: Text,
): TimelineMark[] {
  return events
    .filter(({ kind, atMs }) => kinds.includes(kind) && atMs >= fromMs)
    .map((event) => ({
      index: Math.min(
        columns.cpus.length - 1,
        Math.floor((event.atMs - fromMs) / (stepSeconds * 1000)),
      ),
      label: `${clock.format(event.atMs)} ${limitEventSentence(event, t)}`,
    }));
}

function summarize({ columns }: HistoryDocument) {
  return {
    observedSeconds: sum(columns.observedSeconds),
    throttled: columns.throttledShare.some((share) => share !== null && share > 0.1),
  };
}

/** Against a limit far above, the line would lie flat at the bottom. */
function withLimit(peak: number, limit: number): number {
  return limit > 0 && limit < peak * 8 ? Math.max(limit, peak) * 1.15 : peak * 1.3;
}

const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
const highest = (values: readonly (number | null)[]) => Math.max(0, ...known(values));
const sum = (values: readonly (number | null)[]) => known(values).reduce((a, b) => a + b, 0);

function meanOf(values: readonly (number | null)[]): number {
  return sum(values) / Math.max(1, known(values).length);
}
