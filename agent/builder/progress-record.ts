/** Keeps what a build tells, so that everybody who asks hears it from the beginning. */
import type { ProgressBatch } from './builds.ts';
import type {
  LogProgress,
  ProgressSink,
  StatusProgress,
  VertexProgress,
  WarningProgress,
} from './solver/progress.ts';

type Event =
  | { kind: 'vertexes'; value: VertexProgress }
  | { kind: 'statuses'; value: StatusProgress }
  | { kind: 'logs'; value: LogProgress }
  | { kind: 'warnings'; value: WarningProgress };

/** Of all logs of one build; what was written before is then no longer told to who comes later. */
const maxLogBytes = 16 * 1024 ** 2;
/** Events in one batch: a reader that is far behind must not get all of it at once. */
const batchEvents = 1000;

export class ProgressRecord implements ProgressSink {
  #events: Event[] = [];
  /** Events that were dropped from the beginning. */
  #dropped = 0;
  #logBytes = 0;
  #isOver = false;
  readonly #readers = new Set<() => void>();

  vertex(value: VertexProgress): void {
    this.#add({ kind: 'vertexes', value });
  }

  status(value: StatusProgress): void {
    this.#add({ kind: 'statuses', value });
  }

  log(value: LogProgress): void {
    this.#logBytes += value.data.length;
    this.#add({ kind: 'logs', value });
    if (this.#logBytes > maxLogBytes) this.#dropOldLogs();
  }

  warning(value: WarningProgress): void {
    this.#add({ kind: 'warnings', value });
  }

  end(): void {
    this.#isOver = true;
    for (const wake of this.#readers) wake();
  }

  /** What was told so far. */
  get batch(): ProgressBatch {
    return batchOf(this.#events);
  }

  /** From the beginning until the build has ended. Ends early, without an error, when the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<ProgressBatch> {
    let next = 0;
    while (!signal.aborted) {
      next = Math.max(next, this.#dropped);
      const events = this.#events.slice(next - this.#dropped, next - this.#dropped + batchEvents);
      if (events.length > 0) {
        next += events.length;
        yield batchOf(events);
      } else if (this.#isOver) return;
      else await this.#news(signal);
    }
  }

  #add(event: Event): void {
    if (this.#isOver) return;
    this.#events.push(event);
    for (const wake of this.#readers) wake();
  }

  /** Half of the logs go at once, so that not every further line costs a copy. */
  #dropOldLogs(): void {
    let excess = this.#logBytes - maxLogBytes / 2;
    // Only the beginning can be dropped without confusing who reads; what is no log moves behind it.
    const kept: Event[] = [];
    let position = 0;
    for (; excess > 0 && position < this.#events.length; position++) {
      const event = this.#events[position] as Event;
      if (event.kind !== 'logs') kept.push(event);
      else {
        excess -= event.value.data.length;
        this.#logBytes -= event.value.data.length;
      }
    }
    this.#dropped += position - kept.length;
    this.#events = [...kept, ...this.#events.slice(position)];
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#readers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#readers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

function batchOf(events: readonly Event[]): ProgressBatch {
  const batch: ProgressBatch = { vertexes: [], statuses: [], logs: [], warnings: [] };
  for (const { kind, value } of events) (batch[kind] as (typeof value)[]).push(value);
  return batch;
}
