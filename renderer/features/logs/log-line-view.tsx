import { memo } from 'react';
import { parseAnsi, type Span, type Style } from './ansi.ts';
import type { LogLine } from './log-buffer.ts';
import { splitAtMatches } from './log-search.ts';

/** Longer lines are cut on the screen; the download has them whole. */
const shownChars = 4000;

export const LogLineView = memo(function LogLineView({
  line,
  top,
  query,
  current,
  times,
  stderrLabel,
}: {
  line: LogLine;
  top: number;
  query: string;
  current: boolean;
  times: boolean;
  stderrLabel: string;
}) {
  const text = line.text.length > shownChars ? `${line.text.slice(0, shownChars)}…` : line.text;
  const { spans } = parseAnsi(text, line.start);
  const classes = ['log-line', line.stderr && 'stderr', current && 'current'];
  return (
    <div className={classes.filter(Boolean).join(' ')} style={{ top: `${top}px` }}>
      {times ? <time dateTime={line.time}>{clock(line.time)}</time> : null}
      {line.stderr ? (
        <span className="log-mark" title={stderrLabel}>
          <span className="unseen">{stderrLabel}</span>
        </span>
      ) : null}
      {spans.map((span, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: spans of one line never change places.
        <SpanView key={index} span={span} query={query} />
      ))}
    </div>
  );
});

function SpanView({ span, query }: { span: Span; query: string }) {
  const pieces = splitAtMatches(span.text, query);
  const inner = pieces.map((piece, index) =>
    // biome-ignore lint/suspicious/noArrayIndexKey: the same.
    index % 2 === 1 ? <mark key={index}>{piece}</mark> : piece,
  );
  const { className, style } = appearance(span.style);
  return className || style ? (
    <span className={className} style={style}>
      {inner}
    </span>
  ) : (
    inner
  );
}

function appearance(style: Style): { className?: string; style?: Record<string, string> } {
  const front = style.inverse ? style.background : style.color;
  const back = style.inverse ? style.color : style.background;
  const classes = [
    style.bold && 'ansi-bold',
    style.dim && 'ansi-dim',
    style.italic && 'ansi-italic',
    style.underline && 'ansi-underline',
    style.inverse && 'ansi-inverse',
    typeof front === 'number' && `ansi-fg-${front}`,
    typeof back === 'number' && `ansi-bg-${back}`,
  ].filter(Boolean);
  const own: Record<string, string> = {};
  if (typeof front === 'string') own.color = front;
  if (typeof back === 'string') own.background = back;
  return {
    className: classes.length > 0 ? classes.join(' ') : undefined,
    style: Object.keys(own).length > 0 ? own : undefined,
  };
}

/** Hours to milliseconds in the person's own zone. */
function clock(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const two = (value: number) => String(value).padStart(2, '0');
  const seconds = `${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
  return `${two(date.getHours())}:${two(date.getMinutes())}:${seconds}`;
}
