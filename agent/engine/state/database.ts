/**
 * The engine's state: one SQLite file in WAL mode with this process as its only writer.
 *
 * `synchronous=NORMAL` means that a power cut may lose the last commits but never the database's
 * integrity, and that a killed agent loses nothing (sqlite.org/pragma.html#pragma_synchronous).
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { CortenError } from '../../errors.ts';
import { migrations } from './migrations.ts';

export type Database = DatabaseSync;

/**
 * One connection of this process. What connections share of the log's index is in its memory and not in
 * a file beside the database (sqlite.org/vfs.html, "unix-excl"): an agent that comes after one that was killed
 * would have to make that file anew, for which a full disk has no place.
 */
export function connect(path: string, options: { readOnly?: boolean } = {}): Database {
  if (path === ':memory:') return new DatabaseSync(path, options);
  const url = pathToFileURL(path);
  url.searchParams.set('vfs', 'unix-excl');
  return new DatabaseSync(url, options);
}

/** Opens the state database at `path` (`:memory:` in tests) and applies the missing migrations. */
export function openDatabase(path: string): Database {
  // The database holds containers' environments, and others may be able to enter its directory.
  // SQLite gives its log the same mode.
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
  // Older versions made this file; nobody has it open.
  rmSync(`${path}-shm`, { force: true });
  const database = connect(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
  migrate(database, path);
  return database;
}

function migrate(database: Database, path: string): void {
  const applied = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (applied > migrations.length)
    throw new CortenError(
      'unavailable',
      `${path} was written by a newer version of Corten (schema ${applied}, this one knows ${migrations.length}). Start that version, or use another --root.`,
    );
  for (const [index, migration] of migrations.entries()) {
    if (index < applied) continue;
    // Each migration is one transaction, so that a crash in between leaves a version that exists.
    database.exec(`BEGIN; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}
