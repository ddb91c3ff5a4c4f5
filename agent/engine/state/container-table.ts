/**
 * All containers, in memory and in the database. Records are never changed in place, so a record
 * that was handed out stays as it was, and memory holds what was written.
 */
import { conflict, invalid, notFound } from '../../errors.ts';
import type { Report } from '../report.ts';
import {
  type ContainerRecord,
  definitionDocument,
  type LiveFields,
  recordOf,
  stateDocument,
} from './container-record.ts';
import type { Database } from './database.ts';
import { noPageReserve, type PageReserve } from './reserved-pages.ts';

export class ContainerTable {
  readonly #records = new Map<string, ContainerRecord>();
  readonly #idsByName = new Map<string, string>();
  readonly #insert;
  readonly #writeState;
  readonly #writeDefinition;
  readonly #delete;
  readonly #reserve: PageReserve;
  readonly #report: Report;
  /** Containers whose last state could not be written to the disk. */
  readonly #unwritten = new Set<string>();

  constructor(
    database: Database,
    { reserve = noPageReserve, report }: { reserve?: PageReserve; report: Report },
  ) {
    this.#reserve = reserve;
    this.#report = report;
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

  /**
   * The record of a container found earlier. Throws not-found if another caller has removed it
   * since.
   */
  require(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw notFound(`No such container: ${id}`);
    return record;
  }

  /** Finds a container by full id, name with or without `/`, or unambiguous prefix of an id. */
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
    const [definition, state] = [definitionDocument(record), stateDocument(record)];
    this.#reserve.forNew(definition.length + state.length);
    this.#insert.run(record.id, record.name, definition, state);
    this.#remember(record);
  }

  /**
   * Changes the state of a container. Throws, and changes nothing, when it cannot be written to the
   * disk.
   */
  setLive(id: string, change: Partial<LiveFields>): ContainerRecord {
    const record = { ...this.require(id), ...change };
    this.#write(record);
    this.#records.set(id, record);
    this.#writeLate();
    return record;
  }

  /**
   * Changes the state of a container even when it cannot be written to the disk, for facts such as
   * the end of a process. It is then written together with the next change of any container.
   */
  noteLive(id: string, change: Partial<LiveFields>): ContainerRecord {
    const record = { ...this.require(id), ...change };
    this.#records.set(id, record);
    this.#unwritten.add(id);
    this.#writeLate();
    return record;
  }

  /** Whether the container's current state is on the disk. */
  isWritten(id: string): boolean {
    return !this.#unwritten.has(id);
  }

  /** Changes what users set: name, limits, restart policy. */
  setDefinition(
    id: string,
    change: Partial<Pick<ContainerRecord, 'name' | 'settings' | 'origin'>>,
  ): ContainerRecord {
    const before = this.require(id);
    const record = { ...before, ...change };
    if (record.name !== before.name) this.#refuseTakenName(record.name);
    const definition = definitionDocument(record);
    this.#reserve.forChange(definition.length);
    this.#writeDefinition.run(record.name, definition, id);
    this.#idsByName.delete(before.name);
    this.#remember(record);
    return record;
  }

  delete(id: string): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#delete.run(id);
    this.#records.delete(id);
    this.#unwritten.delete(id);
    this.#idsByName.delete(record.name);
  }

  #write(record: ContainerRecord): void {
    const state = stateDocument(record);
    this.#reserve.forChange(state.length);
    this.#writeState.run(state, record.id);
    this.#unwritten.delete(record.id);
  }

  #writeLate(): void {
    for (const id of this.#unwritten) {
      try {
        this.#write(this.require(id));
      } catch (error) {
        // The failure is only reported, because no caller could do anything about it.
        this.#report(`write down the state of ${id}`, error);
        return;
      }
    }
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
