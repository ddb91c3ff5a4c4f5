/**
 * What the build cache knows: its layers, the results by their keys, cache mounts, and the images that builds are based
 * on. One SQLite file in WAL mode with this process as its only writer. It can be lost without harm: then
 * every step runs again.
 */
import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const schema = `
CREATE TABLE layers (
  id TEXT PRIMARY KEY,
  -- Once the image store has taken the layer over.
  diff_id TEXT,
  -- Unknown until somebody asks for it.
  bytes INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE results (
  id TEXT PRIMARY KEY,
  -- A key that another machine would compute too, by which exported caches know the result.
  portable_key TEXT NOT NULL,
  -- JSON: for each output the ids of its layers, the bottom first, or null.
  outputs TEXT NOT NULL,
  description TEXT NOT NULL,
  kind TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  uses INTEGER NOT NULL
) STRICT;
CREATE TABLE keys (
  key TEXT PRIMARY KEY,
  result TEXT NOT NULL REFERENCES results (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX keys_of_result ON keys (result);
CREATE TABLE mounts (
  directory TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  uses INTEGER NOT NULL
) STRICT;
CREATE TABLE images (
  -- Of the manifest.
  digest TEXT PRIMARY KEY,
  reference TEXT NOT NULL,
  -- JSON: the diff ids, and all digests to be kept.
  layers TEXT NOT NULL,
  content TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  uses INTEGER NOT NULL
) STRICT;
CREATE TABLE builds (
  ref TEXT PRIMARY KEY,
  -- JSON of the record.
  record TEXT NOT NULL,
  -- What it told, as compressed JSON lines.
  progress BLOB NOT NULL,
  started_at INTEGER NOT NULL,
  is_pinned INTEGER NOT NULL
) STRICT;
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
`;
const version = 4;

/** Opens it, or makes it anew when another version or a crash left something else there. */
export function openCacheDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  // Descriptions hold command lines, and others may be able to enter the directory.
  chmodSync(path, 0o600);
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;',
  );
  if (database.prepare('PRAGMA user_version').get()?.user_version === version) return database;
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  database.exec('PRAGMA foreign_keys = OFF;');
  for (const { name } of tables) database.exec(`DROP TABLE "${String(name)}"`);
  database.exec(
    `BEGIN; ${schema} PRAGMA user_version = ${version}; COMMIT; PRAGMA foreign_keys = ON;`,
  );
  return database;
}
