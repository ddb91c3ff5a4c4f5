/** The last thousand events, and streams of those to come. */
import type { EngineEvent } from '../api/system/backend.ts';
import { timerMs } from './timer.ts';

const keptEvents = 1000;
/**
 * A client that falls this many events behind is disconnected, so that the agent's memory stays
 * bounded.
 */
const maxBacklog = 20_000;

export class EventLog {
  readonly #recent: EngineEvent[] = [];
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #lastNanos = 0n;

  emit(event: Omit<EngineEvent, 'time' | 'nanos'>): void {
    const stamped: EngineEvent = { ...event, ...this.#stamp() };
    this.#recent.push(stamped);
    if (this.#recent.length > keptEvents) this.#recent.shift();
    for (const listener of this.#listeners) listener(stamped);
  }

  /** Calls `listener` for every event from now on. Returns a function that stops it. */
  listen(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Streams past events from `since` on, then live ones until `until` or the abort. */
  stream(options: { since?: Date; until?: Date; signal: AbortSignal }): AsyncIterable<EngineEvent> {
    // The listener is registered here and not at the first read, so that events in between are not
    // lost.
    const { since, until, signal } = options;
    const backlog = since === undefined ? [] : this.#recent.filter((event) => event.time >= since);
    let wake = () => {};
    let lost = false;
    const stop = this.listen((event) => {
      if (backlog.length >= maxBacklog) lost = true;
      else backlog.push(event);
      wake();
    });
    let deadline: NodeJS.Timeout | undefined;
    const onAbort = () => wake();
    signal.addEventListener('abort', onAbort);
    return (async function* () {
      try {
        while (!signal.aborted && !lost) {
          const event = backlog.shift();
          if (event !== undefined) {
            if (until !== undefined && event.time > until) return;
            yield event;
            continue;
          }
          if (until !== undefined && until.getTime() <= Date.now()) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
            // The timer is set for each wait, because it may fire early and has a longest time.
            clearTimeout(deadline);
            if (until !== undefined)
              deadline = setTimeout(resolve, timerMs(until.getTime() - Date.now()));
          });
        }
      } finally {
        clearTimeout(deadline);
        signal.removeEventListener('abort', onAbort);
        stop();
      }
    })();
  }

  /** Wall-clock time that strictly increases, so that the timestamp alone gives the order. */
  #stamp(): { time: Date; nanos: number } {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#lastNanos = now > this.#lastNanos ? now : this.#lastNanos + 1n;
    return {
      time: new Date(Number(this.#lastNanos / 1_000_000n)),
      nanos: Number(this.#lastNanos % 1_000_000_000n),
    };
  }
}
