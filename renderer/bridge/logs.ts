import { query, streamBytes } from './engine.ts';
import { type LogFrame, logFrames } from './log-frames.ts';

/**
 * A container's log from its start (or its last `tail` lines), then what comes, each line behind its
 * RFC 3339 time. One item for each chunk that arrived.
 */
export async function* followLogs(
  id: string,
  options: { tail: number; terminal: boolean },
  signal: AbortSignal,
): AsyncGenerator<LogFrame[]> {
  const path = `/containers/${id}/logs${query({
    follow: true,
    stdout: true,
    stderr: true,
    timestamps: true,
    tail: options.tail,
  })}`;
  const frames = logFrames();
  for await (const item of streamBytes({ method: 'GET', path }, signal)) {
    if (!('data' in item)) continue;
    // A terminal's output is one raw stream (docs of GET /containers/{id}/attach, "Stream format when using a TTY").
    yield options.terminal ? [{ stream: 'stdout', data: item.data }] : frames(item.data);
  }
}
