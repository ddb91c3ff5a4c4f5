/** Results of steps by cache key. Several keys may lead to one result. */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { DiskSnapshots } from './disk-snapshots.ts';
import type { Layer, Snapshot } from './snapshot.ts';

export interface Result {
  id: string;
  portableKey: string;
  outputs: (Snapshot | undefined)[];
}

export interface ResultRow {
  id: string;
  portableKey: string;
  /** Layer ids by output. */
  outputs: (string[] | null)[];
  description: string;
  kind: string;
  createdAtMs: number;
  usedAtMs: number;
  uses: number;
}

export class Results {
  readonly #database: DatabaseSync;
  readonly #snapshots: DiskSnapshots;

  constructor(database: DatabaseSync, snapshots: DiskSnapshots) {
    this.#database = database;
    this.#snapshots = snapshots;
  }

  /** Undefined when there is none, or when one of its layers is gone: then the result is forgotten. */
  find(key: string): Result | undefined {
    const row = this.#database
      .prepare('SELECT results.* FROM keys JOIN results ON results.id = keys.result WHERE key = ?')
      .get(key);
    if (row === undefined) return undefined;
    const { id, portableKey, outputs } = rowOf(row);
    const found = outputs.map((layers) => this.#snapshotOf(layers));
    if (found.includes('gone')) {
      this.remove(id);
      return undefined;
    }
    this.#database
      .prepare('UPDATE results SET used_at = ?, uses = uses + 1 WHERE id = ?')
      .run(Date.now(), id);
    return { id, portableKey, outputs: found as Result['outputs'] };
  }

  /** A new result under these keys. */
  add(
    keys: readonly string[],
    outputs: Result['outputs'],
    { description, kind, portableKey }: { description: string; kind: string; portableKey: string },
  ): Result {
    const id = randomUUID();
    const now = Date.now();
    const ids = outputs.map((output) => output?.layers.map((layer) => layer.id) ?? null);
    this.#database.exec('BEGIN');
    try {
      this.#database
        .prepare('INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, 1)')
        .run(id, portableKey, JSON.stringify(ids), description, kind, now, now);
      for (const key of keys) this.link(key, id);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
    return { id, portableKey, outputs };
  }

  /** One more key for a result; whatever it led to before is forgotten. */
  link(key: string, id: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO keys VALUES (?, ?)').run(key, id);
  }

  remove(id: string): void {
    this.#database.prepare('DELETE FROM results WHERE id = ?').run(id);
  }

  rows(): ResultRow[] {
    return this.#database.prepare('SELECT * FROM results').all().map(rowOf);
  }

  #snapshotOf(ids: string[] | null): Snapshot | undefined | 'gone' {
    if (ids === null) return undefined;
    const layers: Layer[] = [];
    for (const id of ids) {
      const layer = this.#snapshots.layer(id);
      if (layer === undefined) return 'gone';
      layers.push(layer);
    }
    return { layers };
  }
}

function rowOf(row: Record<string, unknown>): ResultRow {
  return {
    id: String(row.id),
    portableKey: String(row.portable_key),
    outputs: JSON.parse(String(row.outputs)),
    description: String(row.description),
    kind: String(row.kind),
    createdAtMs: Number(row.created_at),
    usedAtMs: Number(row.used_at),
    uses: Number(row.uses),
  };
}
