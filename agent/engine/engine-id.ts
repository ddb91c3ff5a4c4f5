import { randomUUID } from 'node:crypto';
import type { Database } from './state/database.ts';

/** The engine's id, made once for each state root. */
export function engineId(database: Database): string {
  const known = database.prepare("SELECT value FROM facts WHERE name = 'engine-id'").get();
  if (known !== undefined) return String(known.value);
  const id = randomUUID();
  database.prepare("INSERT INTO facts (name, value) VALUES ('engine-id', ?)").run(id);
  return id;
}
