/**
 * The database's forms, oldest first; `PRAGMA user_version` counts how many were applied. Never
 * edit one that was released: add another.
 *
 * Rows are documents beside the columns that are looked up by. A container has two: `definition`
 * changes when a person changes it, `state` whenever it starts or ends.
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
  // Empty but for moments: see room.ts.
  'CREATE TABLE room (content BLOB) STRICT',
];
