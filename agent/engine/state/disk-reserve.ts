/**
 * Disk space that the engine keeps for itself. When a container has filled the disk, a removal has to
 * be written down first, and that is what makes room again.
 */
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '../../kernel/libc.ts';

/** More than SQLite's log grows to before it is begun anew (1000 pages of 4 KiB). */
const reserveBytes = 8 * 1024 * 1024;
/** https://www.sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;

export class DiskReserve {
  readonly #path: string;
  #isThere = false;

  constructor(path: string) {
    this.#path = path;
    this.#fill();
  }

  /** Runs `write`; when the disk is full, once more with the reserve given away. */
  spend<T>(write: () => T): T {
    try {
      const result = write();
      if (!this.#isThere) this.#fill();
      return result;
    } catch (error) {
      if (!isFull(error) || !this.#isThere) throw error;
      rmSync(this.#path, { force: true });
      this.#isThere = false;
      return write();
    }
  }

  /** Written, since a file with holes reserves nothing. Not where it would itself fill the disk. */
  #fill(): void {
    // That of the agent before, which may have ended because the disk was full.
    this.#isThere = statSync(this.#path, { throwIfNoEntry: false })?.size === reserveBytes;
    if (this.#isThere) return;
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < 2 * reserveBytes) return;
    try {
      writeFileSync(this.#path, Buffer.alloc(reserveBytes), { mode: 0o600 });
      this.#isThere = true;
    } catch (error) {
      rmSync(this.#path, { force: true });
      // Without a reserve the engine works as long as there is room.
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_FULL;
}
