import { memo } from 'react';
import './sparkline.css';

/** A small chart of the last values, newest at the right. Decoration beside the figure it draws. */
export const Sparkline = memo(function Sparkline({
  values,
  capacity,
  ceiling,
  limit,
  width,
  height,
  stretch = false,
}: {
  values: readonly number[];
  /** How many values fill the width. */
  capacity: number;
  /** The value at the top; what is higher is cut. */
  ceiling: number;
  /** A dashed line, such as a limit. */
  limit?: number;
  width: number;
  height: number;
  stretch?: boolean;
}) {
  const top = Math.max(ceiling, Number.EPSILON);
  const x = (index: number) => ((capacity - values.length + index) / (capacity - 1)) * width;
  const y = (value: number) => height - (Math.min(value, top) / top) * (height - 1) - 0.5;
  const points = values.map((value, index) => `${x(index).toFixed(1)} ${y(value).toFixed(1)}`);
  const line = points.length > 1 ? `M${points.join('L')}` : '';
  const area = line ? `${line}L${width} ${height}L${x(0).toFixed(1)} ${height}Z` : '';
  return (
    <svg
      aria-hidden="true"
      className="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      width={stretch ? '100%' : width}
      height={height}
      preserveAspectRatio="none"
    >
      <path className="area" d={area} />
      <path className="line" d={line} />
      {limit === undefined || limit > top ? null : (
        <line className="limit" x1={0} x2={width} y1={y(limit)} y2={y(limit)} />
      )}
    </svg>
  );
});

/** How full something is. The words beside it say the same. */
export function MeterBar({ fraction }: { fraction: number }) {
  const share = Math.max(0, Math.min(1, fraction));
  return (
    <div className={share > 0.9 ? 'meter high' : 'meter'} aria-hidden="true">
      <span style={{ width: `${share * 100}%` }} />
    </div>
  );
}
