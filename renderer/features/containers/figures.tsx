import { useEffect } from 'react';
import { formatBytes, formatCpuPercent } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { historyLength, useStats, watchFigures } from '../../stores/stats.ts';
import { GridCell } from '../../ui/grid-parts.tsx';
import { MeterBar, Sparkline } from '../../ui/sparkline.tsx';

/** A running container's CPU and memory. Its stream is open only while this row is on the screen. */
export function Figures({ id, live }: { id: string; live: boolean }) {
  useEffect(() => (live ? watchFigures(id) : undefined), [id, live]);
  return (
    <>
      <GridCell className="cpu">{live ? <Cpu id={id} /> : <Nothing />}</GridCell>
      <GridCell className="memory">{live ? <Memory id={id} /> : <Nothing />}</GridCell>
    </>
  );
}

function Cpu({ id }: { id: string }) {
  const figures = useStats((state) => state.figures[id]);
  if (!figures) return <Nothing />;
  const cpus = figures.cpus.slice(-historyLength / 2);
  return (
    <>
      <Sparkline
        values={cpus}
        capacity={historyLength / 2}
        ceiling={Math.max(1, ...cpus)}
        width={56}
        height={18}
      />
      <span className="figure">{formatCpuPercent(figures.latest.cpus)}</span>
    </>
  );
}

function Memory({ id }: { id: string }) {
  const latest = useStats((state) => state.figures[id]?.latest);
  const t = useText();
  if (!latest) return <Nothing />;
  const used = formatBytes(latest.memoryBytes);
  const limit = formatBytes(latest.memoryLimitBytes);
  return (
    <>
      <span className="figure" title={t('containers.memoryOf', { used, limit })}>
        {used} <span className="muted">/ {limit}</span>
      </span>
      <MeterBar fraction={latest.memoryBytes / (latest.memoryLimitBytes || 1)} />
    </>
  );
}

function Nothing() {
  return <span className="muted">–</span>;
}
