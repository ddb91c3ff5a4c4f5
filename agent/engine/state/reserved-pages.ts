/**
 * Pages reserved in the database's own files, because a removal, a start and an exit must be
 * recorded even on a full disk. A separate reserve file would not do, since whatever frees or takes
 * disk space meanwhile could use it up. Pages inside the database and its log are safe: SQLite uses
 * the free list before the file grows (sqlite.org/fileformat2.html#the_freelist), and it overwrites
 * the log from its beginning after a checkpoint (sqlite.org/wal.html#checkpointing).
 *
 * On a copy-on-write file system such as btrfs this promises less.
 */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { connect, type Database } from './database.ts';

const pageBytes = 4096;
/**
 * More pages than the log holds before SQLite restarts it (1000), plus growth by containers
 * meanwhile.
 */
const roomPages = 1536;
const lowPages = 768;
/** After about this many written pages the free list is counted again. */
const unseenPages = 256;

/** What the tables report about their writes. */
export interface PageReserve {
  /**
   * A new row of about this size will be written, which must leave the reserve full. Throws
   * SQLite's error when the disk is full.
   */
  forNew(bytes: number): void;
  /** An existing row will be rewritten, which may use the reserve. */
  forChange(bytes: number): void;
}

export const noPageReserve: PageReserve = { forNew() {}, forChange() {} };

export class ReservedPages implements PageReserve {
  readonly #database: Database;
  readonly #path: string;
  readonly #freePages;
  #unseen = 0;
  /** Whether the reserve exists. On a small or full disk it may never have been made. */
  #isThere: boolean;

  /** The database at `path` is open as `database`. */
  constructor(database: Database, path: string) {
    this.#database = database;
    this.#path = path;
    this.#freePages = database.prepare('PRAGMA freelist_count');
    // A crash may have come between the two steps of #make.
    database.exec('DELETE FROM room');
    this.#isThere = this.#logBytes() >= roomPages * pageBytes && this.#free() >= lowPages;
    if (!this.#isThere && this.#hasPlace()) this.#makeIfPossible(roomPages);
  }

  forNew(bytes: number): void {
    const pages = this.#count(bytes);
    if (this.#isLow(pages) && (this.#isThere || this.#hasPlace())) this.#make(roomPages + pages);
  }

  forChange(bytes: number): void {
    const pages = this.#count(bytes);
    if (this.#isLow(pages) && this.#hasPlace()) this.#makeIfPossible(roomPages + pages);
  }

  /** The leaf of a row may be split, and long values have pages of their own. */
  #count(bytes: number): number {
    const pages = 2 + Math.ceil(bytes / pageBytes);
    this.#unseen += pages;
    return pages;
  }

  #isLow(pages: number): boolean {
    if (this.#unseen < unseenPages) return false;
    if (this.#free() < lowPages + pages) return true;
    this.#unseen = 0;
    return false;
  }

  #makeIfPossible(pages: number): void {
    try {
      this.#make(pages);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /**
   * The pages are written and checkpointed before they are freed, because pages freed in the same
   * transaction would be holes in the file.
   */
  #make(pages: number): void {
    try {
      this.#database.prepare('INSERT INTO room VALUES (zeroblob(?))').run(pages * pageBytes);
      this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } finally {
      this.#database.exec('DELETE FROM room');
    }
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    this.#isThere = true;
    this.#unseen = 0;
  }

  /** A small disk is left to the user. */
  #hasPlace(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    return bavail * bsize > 4 * roomPages * pageBytes;
  }

  #free(): number {
    return Number(this.#freePages.get()?.freelist_count ?? 0);
  }

  #logBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }
}

/**
 * Closes the database but keeps its log, which holds the reserve. SQLite removes the log when the
 * last connection closes, unless that one is read-only.
 */
export function closeKeepingPages(database: Database, path: string): void {
  const last = existsSync(path) ? connect(path, { readOnly: true }) : undefined;
  try {
    database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    // Only a connection that has read something keeps the log.
    last?.prepare('SELECT count(*) FROM room').get();
  } finally {
    database.close();
    last?.close();
  }
}

/** https://www.sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;

export function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_FULL;
}
