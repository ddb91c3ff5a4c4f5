/** A queue of progress lines between a request's work and the client that reads them. */
import type { Progress } from '../contract/image.ts';

export type Report = (line: Progress) => void;

/**
 * Runs `work` and yields its progress. A client that stops reading cancels the work; the stream ends when the work
 * has ended, and throws its error.
 */
export async function* reportedBy(
  work: (report: Report, signal: AbortSignal) => Promise<void>,
  outerSignal?: AbortSignal,
): AsyncGenerator<Progress> {
  const lines: Progress[] = [];
  const abort = new AbortController();
  const signal = outerSignal ? AbortSignal.any([outerSignal, abort.signal]) : abort.signal;
  let wake = () => {};
  let ended = false;
  const running = work((line) => {
    lines.push(line);
    wake();
  }, signal).finally(() => {
    ended = true;
    wake();
  });
  // It is awaited below. Without this handler a failure while the client reads slowly would count as unhandled.
  running.catch(() => {});
  try {
    while (!ended || lines.length > 0) {
      const line = lines.shift();
      if (line !== undefined) yield line;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    if (!ended) {
      abort.abort();
      // The client is gone, so an error of the cancelled work is of no use.
      await running.catch(() => {});
    }
  }
  await running;
}

const intervalMs = 100;

/** Forwards at most one line in 100 ms, as dockerd does. */
export function throttled(report: Report, now: () => number = Date.now): Report {
  let last = Number.NEGATIVE_INFINITY;
  return (line) => {
    const time = now();
    if (time - last < intervalMs) return;
    last = time;
    report(line);
  };
}
