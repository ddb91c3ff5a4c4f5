/** Every volume, in memory and in the database. */
import type { VolumeView } from '../../api/volumes/backend.ts';
import { notFound } from '../../errors.ts';
import type { Database } from './database.ts';
import { noPageReserve, type PageReserve } from './reserved-pages.ts';

export interface VolumeRecord extends Omit<VolumeView, 'users'> {
  /**
   * The space that limits the volume (agent/disk). Absent when the volume lies on the state file
   * system itself.
   */
  space?: string;
}

export class VolumeTable {
  readonly #records = new Map<string, VolumeRecord>();
  readonly #reserve: PageReserve;
  readonly #insert;
  readonly #update;
  readonly #delete;

  constructor(database: Database, reserve: PageReserve = noPageReserve) {
    this.#reserve = reserve;
    this.#insert = database.prepare('INSERT INTO volumes (name, document) VALUES (?, ?)');
    this.#update = database.prepare('UPDATE volumes SET document = ? WHERE name = ?');
    this.#delete = database.prepare('DELETE FROM volumes WHERE name = ?');
    for (const row of database.prepare('SELECT document FROM volumes').all()) {
      const record = JSON.parse(String(row.document)) as VolumeRecord;
      this.#records.set(record.name, { ...record, createdAt: new Date(record.createdAt) });
    }
  }

  all(): VolumeRecord[] {
    return [...this.#records.values()];
  }

  get(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  find(name: string): VolumeRecord {
    const record = this.#records.get(name);
    if (record === undefined) throw notFound(`get ${name}: no such volume`);
    return record;
  }

  insert(record: VolumeRecord): void {
    const document = JSON.stringify(record);
    this.#reserve.forNew(document.length);
    this.#insert.run(record.name, document);
    this.#records.set(record.name, record);
  }

  update(record: VolumeRecord): VolumeRecord {
    this.#update.run(JSON.stringify(record), record.name);
    this.#records.set(record.name, record);
    return record;
  }

  delete(name: string): void {
    this.#delete.run(name);
    this.#records.delete(name);
  }
}
