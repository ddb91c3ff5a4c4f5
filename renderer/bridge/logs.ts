import { query, streamBytes } from './engine.ts';
import { type LogFrame, logFrames } from './log-frames.ts';

/**
 * A container's log from its start (or its last `tail` lines), then what comes, each line behind its
 * RFC 3339 time. One item for each chunk that arrived.
 */
export async function* followLogs(
  id: string,
  options: { tail: number; terminal: boolean; since?: string },
  signal: AbortSignal,
): AsyncGenerator<LogFrame[]> {
  const path = `/containers/${id}/logs${query({
    follow: true,
    stdout: true,
    stderr: true,
    timestamps: true,
    tail: options.tail,
    since: options.since ? unixTime(options.since) : undefined,
  })}`;
  const frames = logFrames();
  for await (const item of streamBytes({ method: 'GET', path }, signal)) {
    if (!('data' in item)) continue;
    // A terminal's output is one raw stream (docs of GET /containers/{id}/attach, "Stream format when using a TTY").
    yield options.terminal ? [{ stream: 'stdout', data: item.data }] : frames(item.data);
  }
}

/** RFC 3339 with nanoseconds -> `seconds.nanoseconds`, as the engine's `since` wants it. */
function unixTime(rfc3339: string): string {
  const seconds = Math.floor(new Date(rfc3339).getTime() / 1000);
  const fraction = /\.(\d+)/.exec(rfc3339)?.[1] ?? '0';
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
