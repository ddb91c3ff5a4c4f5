/** The directories of `RUN --mount=type=cache`, which outlive the steps that use them. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { CacheMount, CacheSharing } from './snapshot.ts';

export interface CacheMountRow {
  directory: string;
  id: string;
  createdAtMs: number;
  usedAtMs: number;
  uses: number;
}

export class CacheMounts {
  readonly #directory: string;
  readonly #database: DatabaseSync;
  /** Users by directory name. */
  readonly #users = new Map<string, number>();
  /** Steps that wait for a locked mount, by its id. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(directory: string, database: DatabaseSync) {
    this.#directory = directory;
    this.#database = database;
  }

  /** See {@link SnapshotStore.cacheMount}. Throws the signal's reason. */
  async use(id: string, sharing: CacheSharing, signal: AbortSignal): Promise<CacheMount> {
    for (;;) {
      signal.throwIfAborted();
      const rows = this.rows().filter((row) => row.id === id);
      const free = rows.find(({ directory }) => !this.isUsed(directory));
      const chosen = sharing === 'shared' ? (free ?? rows[0]) : free;
      if (chosen !== undefined) return this.#begin(chosen.directory, id);
      if (sharing !== 'locked' || rows.length === 0) return this.#begin(await this.#make(id), id);
      await this.#released(id, signal);
    }
  }

  rows(): CacheMountRow[] {
    return this.#database
      .prepare('SELECT * FROM mounts ORDER BY created_at')
      .all()
      .map((row) => ({
        directory: String(row.directory),
        id: String(row.id),
        createdAtMs: Number(row.created_at),
        usedAtMs: Number(row.used_at),
        uses: Number(row.uses),
      }));
  }

  pathOf(directory: string): string {
    return join(this.#directory, directory, 'fs');
  }

  isUsed(directory: string): boolean {
    return this.#users.has(directory);
  }

  async remove(directory: string): Promise<void> {
    this.#database.prepare('DELETE FROM mounts WHERE directory = ?').run(directory);
    await rm(join(this.#directory, directory), { recursive: true, force: true });
  }

  /** Removes directories that have no row, as a crash leaves them. */
  async sweep(): Promise<void> {
    const known = new Set(this.rows().map(({ directory }) => directory));
    for (const name of readdirSync(this.#directory))
      if (!known.has(name)) await rm(join(this.#directory, name), { recursive: true });
  }

  async #make(id: string): Promise<string> {
    const directory = randomBytes(16).toString('hex');
    // Taken before anything is awaited, so that no second step takes it for free.
    this.#users.set(directory, 0);
    const now = Date.now();
    this.#database
      .prepare(
        'INSERT INTO mounts (directory, id, created_at, used_at, uses) VALUES (?, ?, ?, ?, 0)',
      )
      .run(directory, id, now, now);
    await mkdir(join(this.#directory, directory), { mode: 0o700 });
    await mkdir(this.pathOf(directory), { mode: 0o755 });
    await mkdir(join(this.#directory, directory, 'work'), { mode: 0o700 });
    return directory;
  }

  #begin(directory: string, id: string): CacheMount {
    this.#users.set(directory, (this.#users.get(directory) ?? 0) + 1);
    this.#database
      .prepare('UPDATE mounts SET used_at = ?, uses = uses + 1 WHERE directory = ?')
      .run(Date.now(), directory);
    let isReleased = false;
    return {
      directory: this.pathOf(directory),
      work: join(this.#directory, directory, 'work'),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        const users = (this.#users.get(directory) ?? 1) - 1;
        if (users > 0) this.#users.set(directory, users);
        else this.#users.delete(directory);
        for (const wake of this.#waiting.get(id)?.splice(0) ?? []) wake();
      },
    };
  }

  #released(id: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const waiting = this.#waiting.get(id) ?? [];
      waiting.push(wake);
      this.#waiting.set(id, waiting);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
