/** Every network, in memory and in the database. */
import { conflict, invalid, notFound } from '../../errors.ts';
import type { NetworkDefinition } from '../../network/networks.ts';
import type { Database } from './database.ts';
import { noPageReserve, type PageReserve } from './reserved-pages.ts';

export interface NetworkRecord {
  id: string;
  name: string;
  driver: 'bridge' | 'host' | 'null';
  createdAt: Date;
  attachable: boolean;
  labels: Record<string, string>;
  /** Absent for `host` and `none`, which have nothing in the kernel. */
  definition?: NetworkDefinition;
}

export class NetworkTable {
  readonly #records = new Map<string, NetworkRecord>();
  readonly #reserve: PageReserve;
  readonly #insert;
  readonly #delete;

  constructor(database: Database, reserve: PageReserve = noPageReserve) {
    this.#reserve = reserve;
    this.#insert = database.prepare('INSERT INTO networks (id, name, document) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM networks WHERE id = ?');
    for (const row of database.prepare('SELECT document FROM networks').all()) {
      const record = JSON.parse(String(row.document)) as NetworkRecord;
      this.#records.set(record.id, { ...record, createdAt: new Date(record.createdAt) });
    }
  }

  all(): NetworkRecord[] {
    return [...this.#records.values()];
  }

  /** Networks that have a bridge in the kernel. */
  definitions(): NetworkDefinition[] {
    return this.all()
      .map(({ definition }) => definition)
      .filter((definition) => definition !== undefined);
  }

  byName(name: string): NetworkRecord | undefined {
    return this.all().find((record) => record.name === name);
  }

  /** Finds a network by full id, name, or unambiguous prefix of an id. */
  find(reference: string): NetworkRecord {
    const exact = this.#records.get(reference) ?? this.byName(reference);
    if (exact !== undefined) return exact;
    const matches = reference === '' ? [] : this.all().filter(({ id }) => id.startsWith(reference));
    if (matches.length > 1)
      throw invalid(
        `network ${reference} is ambiguous (${matches.length} matches found on ID prefix)`,
      );
    if (matches[0] === undefined) throw notFound(`network ${reference} not found`);
    return matches[0];
  }

  insert(record: NetworkRecord): void {
    if (this.byName(record.name) !== undefined)
      throw conflict(`network with name ${record.name} already exists`);
    const document = JSON.stringify(record);
    this.#reserve.forNew(document.length);
    this.#insert.run(record.id, record.name, document);
    this.#records.set(record.id, record);
  }

  delete(id: string): void {
    this.#delete.run(id);
    this.#records.delete(id);
  }
}
