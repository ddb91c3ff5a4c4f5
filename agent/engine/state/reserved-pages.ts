/**
 * ReservedPages in the database's own files, taken ahead: a removal, and a process that begins or ends, must be
 * written down on a full disk too. A file that was kept in reserve for that could be used up, by the
 * first who spends it and by whoever takes what a removal frees. What lies inside the database and its
 * log cannot: pages on the free list are taken before the file grows
 * (sqlite.org/fileformat2.html#the_freelist), and the log is written over from its beginning once its
 * content is in the database (sqlite.org/wal.html#checkpointing).
 *
 * Where each write takes new blocks (btrfs) this promises less.
 */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { connect, type Database } from './database.ts';

const pageBytes = 4096;
/** More than the log holds before SQLite begins it anew (1000 pages), and what containers grow by meanwhile. */
const roomPages = 1536;
const lowPages = 768;
/** Pages that writes may have taken before the free list is looked at. */
const unseenPages = 256;

/** What tables tell of their writes. */
export interface PageReserve {
  /**
   * Something new of about this size is to be written, which leaves as much room as was there.
   * Throws SQLite's error when the disk has no place for it.
   */
  forNew(bytes: number): void;
  /** Something known is to be written anew; takes of the room what it needs. */
  forChange(bytes: number): void;
}

export const noPageReserve: PageReserve = { forNew() {}, forChange() {} };

export class ReservedPages implements PageReserve {
  readonly #database: Database;
  readonly #path: string;
  readonly #freePages;
  #unseen = 0;
  /** It is on a small or full disk that it never came to be. */
  #isThere: boolean;

  /** Of the database at `path`, which `database` has open. */
  constructor(database: Database, path: string) {
    this.#database = database;
    this.#path = path;
    this.#freePages = database.prepare('PRAGMA freelist_count');
    // A crash between the two steps of #make.
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

  /** A row's leaf may be split, and what is long lies in pages of its own. */
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
   * Two steps, so that the pages are written, to the log and from there to the database, before they
   * become free: those that are freed in the same transaction would be holes.
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

  /** A small disk is for what people put there. */
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
 * Closes the database and leaves its log, which has the room. SQLite removes the log when the last
 * connection is closed, but not when that one cannot write.
 */
export function closeKeepingPages(database: Database, path: string): void {
  const last = existsSync(path) ? connect(path, { readOnly: true }) : undefined;
  try {
    database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    // Only a connection that has read counts.
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
