/**
 * The database's schema as migrations, oldest first; `PRAGMA user_version` counts those that were
 * applied. Never edit a released one: add another.
 *
 * Rows are documents beside the columns for lookups. A container has two documents: `definition`
 * changes when a user changes it, `state` whenever it starts or ends.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE containers (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     definition TEXT NOT NULL,
     state TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE volumes (
     name TEXT PRIMARY KEY,
     document TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE networks (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     document TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE facts (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
  // The table is empty except for moments (reserved-pages.ts).
  'CREATE TABLE room (content BLOB) STRICT',
];
