import { memo } from 'react';
import './timeline.css';

export interface TimelineMark {
  /** Of the value it belongs to. */
  index: number;
  label: string;
}

/**
 * Values over a stretch of time, with gaps where there were none, a band below where something was
 * in the way, and marks where something happened. A picture: `label` says in words what it shows.
 */
export const Timeline = memo(function Timeline({
  values,
  ceiling,
  limits,
  banded,
  marks,
  label,
}: {
  values: readonly (number | null)[];
  /** The value at the top; what is higher is cut. */
  ceiling: number;
  /** A dashed line, at each value's own limit. */
  limits: readonly (number | null)[];
  banded: readonly boolean[];
  marks: readonly TimelineMark[];
  label: string;
}) {
  const top = Math.max(ceiling, Number.EPSILON);
  const count = Math.max(1, values.length);
  const y = (value: number) => (1 - Math.min(value, top) / top) * 100;
  const lines = runs(values);
  const stairs = runs(limits.map((limit) => (limit === null || limit > top ? null : limit)));
  const path = (run: Run) =>
    `M${run.map(([index, value]) => `${index + 0.5} ${y(value).toFixed(1)}`).join('L')}`;
  return (
    <div className="timeline" role="img" aria-label={label}>
      <svg
        viewBox={`0 0 ${count} 100`}
        preserveAspectRatio="none"
        width="100%"
        height="100%"
        aria-hidden="true"
      >
        {lines.map((run) => (
          <g key={run[0][0]}>
            <path
              className="area"
              d={`${path(run)}L${last(run) + 0.5} 100L${run[0][0] + 0.5} 100Z`}
            />
            <path className="line" d={run.length === 1 ? `${path(run)}h1` : path(run)} />
          </g>
        ))}
        {stairs.map((run) => (
          <path key={run[0][0]} className="limit" d={`${path(run)}h0.5`} />
        ))}
      </svg>
      {ranges(banded).map(([from, to]) => (
        <span
          key={from}
          className="timeline-band"
          style={{ left: percent(from / count), width: percent((to - from) / count) }}
        />
      ))}
      {marks.map(({ index, label: title }) => (
        <span
          key={`${index} ${title}`}
          className="timeline-mark"
          title={title}
          style={{ left: percent((index + 0.5) / count) }}
        />
      ))}
    </div>
  );
});

type Run = [[number, number], ...[number, number][]];

/** Stretches without a gap, each value with its place. */
function runs(values: readonly (number | null)[]): Run[] {
  const found: Run[] = [];
  let current: Run | undefined;
  values.forEach((value, index) => {
    if (value === null) current = undefined;
    else if (current === undefined) {
      current = [[index, value]];
      found.push(current);
    } else current.push([index, value]);
  });
  return found;
}

function ranges(flags: readonly boolean[]): [number, number][] {
  const found: [number, number][] = [];
  flags.forEach((flag, index) => {
    const before = found.at(-1);
    if (!flag) return;
    if (before?.[1] === index) before[1] = index + 1;
    else found.push([index, index + 1]);
  });
  return found;
}

const last = (run: Run) => run.at(-1)?.[0] ?? 0;
const percent = (share: number) => `${(share * 100).toFixed(2)}%`;
