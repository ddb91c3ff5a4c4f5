/** The builds of the past, in the cache's database, and those that run. */
import type { DatabaseSync } from 'node:sqlite';
import { conflict, notFound } from '../../errors.ts';
import type { BuildRecord, BuildRequest, History, HistoryEvent, ProgressBatch } from '../builds.ts';
import type { ProgressRecord } from '../progress-record.ts';
import { failureOf } from './failure.ts';
import { packProgress, unpackProgress } from './progress-text.ts';

/** As BuildKit keeps by default (`maxEntries` of its history). */
const keptBuilds = 50;

export class BuildHistory implements History {
  readonly #database: DatabaseSync;
  readonly #running = new Map<string, { record: BuildRecord; progress: ProgressRecord }>();
  readonly #watchers = new Set<(event: HistoryEvent) => void>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  begin(request: BuildRequest, progress: ProgressRecord): void {
    const { ref, source, exporters } = request;
    const record: BuildRecord = {
      ref,
      source: source.kind,
      options: source.kind === 'front-end' ? { ...source.options } : {},
      exporters,
      startedAt: new Date(),
      response: {},
      steps: { total: 0, cached: 0, completed: 0 },
      warnings: 0,
      isPinned: false,
    };
    this.#running.set(ref, { record, progress });
    this.#tell({ kind: 'started', record });
  }

  /** A client that makes its graph itself names its options only while the build runs. */
  noteOptions(ref: string, options: Readonly<Record<string, string>>): void {
    const running = this.#running.get(ref);
    if (running !== undefined) Object.assign(running.record.options, options);
  }

  end(
    ref: string,
    outcome: { response: Record<string, string>; error?: Error; isCancelled?: boolean },
  ): void {
    const running = this.#running.get(ref);
    if (running === undefined) return;
    const { response, error, isCancelled } = outcome;
    const record = {
      ...current(running),
      completedAt: new Date(),
      response,
      ...(error && { error: error.message, failure: failureOf(error) }),
      ...(isCancelled && { isCancelled }),
    };
    this.#running.delete(ref);
    this.#database
      .prepare('INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?)')
      .run(
        ref,
        JSON.stringify(record),
        packProgress(running.progress.batch),
        record.startedAt.getTime(),
        Number(record.isPinned),
      );
    this.#tell({ kind: 'completed', record });
    this.#forgetOld();
  }

  list(): BuildRecord[] {
    const running = [...this.#running.values()].map(current).reverse();
    const ended = this.#database
      .prepare('SELECT record, is_pinned FROM builds ORDER BY started_at DESC')
      .all();
    return [...running, ...ended.map(recordOf)];
  }

  setPinned(ref: string, isPinned: boolean): void {
    const running = this.#running.get(ref);
    if (running !== undefined) running.record.isPinned = isPinned;
    else {
      this.#stored(ref);
      this.#database
        .prepare('UPDATE builds SET is_pinned = ? WHERE ref = ?')
        .run(Number(isPinned), ref);
    }
  }

  remove(ref: string): void {
    if (this.#running.has(ref))
      throw conflict(`build ${ref} runs: cancel it before its record is removed`);
    const record = this.#stored(ref);
    this.#database.prepare('DELETE FROM builds WHERE ref = ?').run(ref);
    this.#tell({ kind: 'deleted', record });
  }

  /** Of a build that has ended; undefined when there is none. */
  progress(ref: string): ProgressBatch | undefined {
    const row = this.#database.prepare('SELECT progress FROM builds WHERE ref = ?').get(ref);
    return row === undefined ? undefined : unpackProgress(row.progress as Uint8Array);
  }

  async *watch(signal: AbortSignal): AsyncGenerator<HistoryEvent> {
    const events: HistoryEvent[] = [];
    let wake = () => {};
    const watcher = (event: HistoryEvent) => {
      events.push(event);
      wake();
    };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => wake());
    try {
      while (!signal.aborted) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  #stored(ref: string): BuildRecord {
    const row = this.#database
      .prepare('SELECT record, is_pinned FROM builds WHERE ref = ?')
      .get(ref);
    if (row === undefined) throw notFound(`there is no build ${ref}`);
    return recordOf(row);
  }

  #forgetOld(): void {
    const old = this.#database
      .prepare(
        'SELECT ref FROM builds WHERE is_pinned = 0 ORDER BY started_at DESC LIMIT -1 OFFSET ?',
      )
      .all(keptBuilds);
    for (const { ref } of old) this.remove(String(ref));
  }

  #tell(event: HistoryEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}

function current({
  record,
  progress,
}: {
  record: BuildRecord;
  progress: ProgressRecord;
}): BuildRecord {
  const { vertexes, warnings } = progress.batch;
  const last = [...new Map(vertexes.map((vertex) => [vertex.digest, vertex])).values()];
  return {
    ...record,
    warnings: warnings.length,
    steps: {
      total: last.length,
      cached: last.filter(({ cached }) => cached).length,
      completed: last.filter(({ completed }) => completed !== undefined).length,
    },
  };
}

function recordOf(row: Record<string, unknown>): BuildRecord {
  const record = JSON.parse(String(row.record)) as BuildRecord;
  return {
    ...record,
    startedAt: new Date(record.startedAt),
    ...(record.completedAt && { completedAt: new Date(record.completedAt) }),
    isPinned: row.is_pinned === 1,
  };
}
