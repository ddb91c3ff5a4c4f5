import { type ReactNode, useEffect } from 'react';
import { formatBytes, formatCpuPercent, formatRate } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { useInspection } from '../../stores/inspection.ts';
import { type Figures, historyLength, useStats, watchFigures } from '../../stores/stats.ts';
import { Sparkline } from '../../ui/sparkline.tsx';

/** The last minute of a running container, against its limits. */
export function Charts({ row }: { row: ContainerRow }) {
  const t = useText();
  const live = row.status === 'running' || row.status === 'paused';
  useEffect(() => (live ? watchFigures(row.id) : undefined), [row.id, live]);
  const figures = useStats((state) => state.figures[row.id]);
  const cpuLimit = useCpuLimit(row.id);
  if (!live) return <p className="card charts-off muted">{t('overview.notRunning')}</p>;
  return (
    <div className="charts">
      <CpuChart figures={figures} limit={cpuLimit} />
      <MemoryChart figures={figures} />
      <Chart
        title={t('overview.pids')}
        figure={figures ? String(figures.latest.pids) : '–'}
        detail={
          figures?.latest.pidsLimit ? t('overview.of', { limit: figures.latest.pidsLimit }) : ''
        }
        values={figures?.pids ?? []}
        ceiling={Math.max(8, ...(figures?.pids ?? [])) * 1.15}
        limit={figures?.latest.pidsLimit}
      />
      <TrafficChart
        title={t('overview.network')}
        arrived={figures?.received ?? []}
        left={figures?.sent ?? []}
        arrow={['↓', '↑']}
      />
      <TrafficChart
        title={t('overview.disk')}
        arrived={figures?.read ?? []}
        left={figures?.written ?? []}
        arrow={['R', 'W']}
      />
    </div>
  );
}

/** The CPUs it may use now; undefined without a limit. */
export function useCpuLimit(id: string): number | undefined {
  return useInspection(({ id: inspected, document }) => {
    const host = inspected === id ? document?.HostConfig : undefined;
    if (host?.NanoCpus) return host.NanoCpus / 1e9;
    return host?.CpuQuota && host.CpuQuota > 0
      ? host.CpuQuota / (host.CpuPeriod || 100_000)
      : undefined;
  });
}

function CpuChart({ figures, limit }: { figures: Figures | undefined; limit: number | undefined }) {
  const t = useText();
  const values = figures?.cpus ?? [];
  return (
    <Chart
      title={t('overview.cpu')}
      figure={figures ? formatCpuPercent(figures.latest.cpus) : '–'}
      detail={
        limit === undefined
          ? t('overview.cpusOf', { cpus: figures?.latest.onlineCpus ?? 1 })
          : t('overview.cpuLimit', { cpus: limit })
      }
      values={values}
      ceiling={Math.max(limit ? limit * 1.1 : 0.25, ...values)}
      limit={limit}
    />
  );
}

function MemoryChart({ figures }: { figures: Figures | undefined }) {
  const t = useText();
  const values = figures?.memory ?? [];
  const limit = figures?.latest.memoryLimitBytes;
  // Against a limit far above, the line would lie flat at the bottom.
  const top = Math.max(...values, 1);
  const near = limit !== undefined && limit < top * 8;
  return (
    <Chart
      title={t('overview.memory')}
      figure={figures ? formatBytes(figures.latest.memoryBytes) : '–'}
      detail={limit ? t('overview.of', { limit: formatBytes(limit) }) : ''}
      values={values}
      ceiling={near ? limit * 1.1 : top * 1.3}
      limit={near ? limit : undefined}
    />
  );
}

function TrafficChart({
  title,
  arrived,
  left,
  arrow,
}: {
  title: string;
  arrived: readonly number[];
  left: readonly number[];
  arrow: [string, string];
}) {
  const both = arrived.map((value, index) => value + (left[index] ?? 0));
  return (
    <Chart
      title={title}
      figure={`${arrow[0]} ${formatRate(arrived.at(-1) ?? 0)}`}
      detail={`${arrow[1]} ${formatRate(left.at(-1) ?? 0)}`}
      values={both}
      ceiling={Math.max(4096, ...both)}
    />
  );
}

function Chart({
  title,
  figure,
  detail,
  values,
  ceiling,
  limit,
}: {
  title: string;
  figure: ReactNode;
  detail: ReactNode;
  values: readonly number[];
  ceiling: number;
  limit?: number;
}) {
  return (
    <section className="card chart" aria-label={title}>
      <div className="chart-words">
        <h2>{title}</h2>
        <span className="chart-figure">{figure}</span>
        <span className="muted chart-detail">{detail}</span>
      </div>
      <Sparkline
        values={values}
        capacity={historyLength}
        ceiling={ceiling}
        limit={limit}
        width={240}
        height={48}
        stretch
      />
    </section>
  );
}
