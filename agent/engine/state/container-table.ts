/**
 * Every container, in memory and in the database. Records are never changed in place: a view that
 * was handed out stays as it was, and what is in memory is what was written.
 */
import { conflict, invalid, notFound } from '../../errors.ts';
import {
  type ContainerRecord,
  documentsOf,
  type LiveFields,
  recordOf,
} from './container-record.ts';
import type { Database } from './database.ts';
import type { DiskReserve } from './disk-reserve.ts';

export class ContainerTable {
  readonly #records = new Map<string, ContainerRecord>();
  readonly #idsByName = new Map<string, string>();
  readonly #insert;
  readonly #writeState;
  readonly #writeDefinition;
  readonly #delete;
  readonly #reserve: Pick<DiskReserve, 'spend'>;

  /** `reserve` is for processes that begin or end, and for removals. */
  constructor(
    database: Database,
    reserve: Pick<DiskReserve, 'spend'> = { spend: (write) => write() },
  ) {
    this.#reserve = reserve;
    this.#insert = database.prepare(
      'INSERT INTO containers (id, name, definition, state) VALUES (?, ?, ?, ?)',
    );
    this.#writeState = database.prepare('UPDATE containers SET state = ? WHERE id = ?');
    this.#writeDefinition = database.prepare(
      'UPDATE containers SET name = ?, definition = ? WHERE id = ?',
    );
    this.#delete = database.prepare('DELETE FROM containers WHERE id = ?');
    for (const row of database.prepare('SELECT definition, state FROM containers').all())
      this.#remember(recordOf({ definition: String(row.definition), state: String(row.state) }));
  }

  all(): ContainerRecord[] {
    return [...this.#records.values()];
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** For work on a container that was found before: another caller may have removed it since. */
  require(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw notFound(`No such container: ${id}`);
    return record;
  }

  /** By full id, name with or without `/`, or unambiguous prefix of an id. */
  find(reference: string): ContainerRecord {
    const name = reference.replace(/^\//, '');
    const exact = this.#records.get(name) ?? this.byName(name);
    if (exact !== undefined) return exact;
    const matches =
      name === '' ? [] : [...this.#records.values()].filter(({ id }) => id.startsWith(name));
    if (matches.length > 1)
      throw invalid(`Multiple IDs found with provided prefix: ${name}. Use more of its digits.`);
    if (matches[0] === undefined) throw notFound(`No such container: ${reference}`);
    return matches[0];
  }

  byName(name: string): ContainerRecord | undefined {
    const id = this.#idsByName.get(name);
    return id === undefined ? undefined : this.#records.get(id);
  }

  insert(record: ContainerRecord): void {
    this.#refuseTakenName(record.name);
    const { definition, state } = documentsOf(record);
    this.#insert.run(record.id, record.name, definition, state);
    this.#remember(record);
  }

  /** Changes what moves with the container's life. */
  setLive(id: string, change: Partial<LiveFields>): ContainerRecord {
    const before = this.require(id);
    const record = { ...before, ...change };
    const write = () => this.#writeState.run(documentsOf(record).state, id);
    // A process that began and is not written down would run on with nobody who knows it.
    const matters = [before, record].some(({ state }) => state.status === 'running');
    if (matters) this.#reserve.spend(write);
    else write();
    this.#records.set(id, record);
    return record;
  }

  /** Changes what people ask for: name, limits, restart policy. */
  setDefinition(
    id: string,
    change: Partial<Pick<ContainerRecord, 'name' | 'settings' | 'origin'>>,
  ): ContainerRecord {
    const before = this.require(id);
    const record = { ...before, ...change };
    if (record.name !== before.name) this.#refuseTakenName(record.name);
    this.#writeDefinition.run(record.name, documentsOf(record).definition, id);
    this.#idsByName.delete(before.name);
    this.#remember(record);
    return record;
  }

  delete(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#reserve.spend(() => this.#delete.run(id));
    this.#records.delete(id);
    this.#idsByName.delete(record.name);
  }

  #remember(record: ContainerRecord): void {
    this.#records.set(record.id, record);
    this.#idsByName.set(record.name, record.id);
  }

  #refuseTakenName(name: string): void {
    const owner = this.#idsByName.get(name);
    if (owner !== undefined)
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
  }
}
