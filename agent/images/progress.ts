/** A queue of progress lines between the work that makes them and the client that reads them. */
import type { Progress } from '../contract/image.ts';

export type Report = (line: Progress) => void;

/**
 * Runs `work` and yields what it reports. A client that stops reading cancels the work; the stream
 * ends only once the work has ended, and throws what it threw.
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
  // Awaited below; without this a failure while the client reads slowly would look unhandled.
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
      // The client is gone; what the cancelled work says is no news to anybody.
      await running.catch(() => {});
    }
  }
  await running;
}

const intervalMs = 100;

/** Passes at most one line in 100 ms on, as dockerd does, so that a fast download is no flood. */
export function throttled(report: Report, now: () => number = Date.now): Report {
  let last = Number.NEGATIVE_INFINITY;
  return (line) => {
    const time = now();
    if (time - last < intervalMs) return;
    last = time;
    report(line);
  };
}
