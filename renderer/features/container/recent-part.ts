/** Of a container that was not seen for the whole hour, the part that has something to show. */
import type { HistoryDocument } from '../../bridge/pressure.ts';

/** Spans that make round figures on the axis. */
const spansMinutes = [6, 20, 40, 60] as const;

export function recentPart(history: HistoryDocument): HistoryDocument {
  const { columns, stepSeconds, fromMs } = history;
  const count = columns.observedSeconds.length;
  const first = columns.observedSeconds.findIndex((seconds) => seconds !== null);
  const neededSeconds = (count - Math.max(0, first)) * stepSeconds;
  const span = spansMinutes.find((minutes) => minutes * 60 >= neededSeconds);
  const skipped = span === undefined ? 0 : Math.max(0, count - (span * 60) / stepSeconds);
  const cut = Object.entries(columns).map(([name, values]) => [name, values.slice(skipped)]);
  return {
    ...history,
    fromMs: fromMs + skipped * stepSeconds * 1000,
    columns: Object.fromEntries(cut) as HistoryDocument['columns'],
  };
}
