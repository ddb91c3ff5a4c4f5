/** Limits what a layer may unpack to, by fixed numbers and by the free space of the disk. */
import { statfsSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import { LayerError } from './layer-error.ts';

export interface UnpackLimits {
  /** Bytes that one layer may unpack to, archive headers included. */
  maxBytes: number;
  /** Entries that one layer may hold. */
  maxEntries: number;
}

export const defaultLimits: UnpackLimits = {
  maxBytes: 256 * 1024 ** 3,
  // The largest public images have about half a million files in all.
  maxEntries: 4_000_000,
};

/** Space that stays free on that disk: 256 MiB, or a twentieth of a small disk. */
const maxReserveBytes = 256 * 1024 ** 2;
const recheckBytes = 32 * 1024 ** 2;

/** Counts what is written and throws LayerError before a limit is exceeded or the disk is full. */
export class UnpackBudget {
  readonly #limits: UnpackLimits;
  readonly #directory: string;
  #archiveBytes = 0;
  #entries = 0;
  #sinceCheckBytes = 0;
  #freeBytes = 0;

  constructor(directory: string, limits: UnpackLimits) {
    this.#directory = directory;
    this.#limits = limits;
    this.#freeBytes = freeBytesOf(directory);
  }

  /** Counts bytes that the decompressor has returned. */
  decompressed(bytes: number): void {
    this.#archiveBytes += bytes;
    if (this.#archiveBytes > this.#limits.maxBytes)
      throw new LayerError(
        `the layer unpacks to more than the limit of ${this.#limits.maxBytes} bytes`,
      );
    this.#sinceCheckBytes += bytes;
    if (this.#sinceCheckBytes < recheckBytes) return;
    this.#sinceCheckBytes = 0;
    this.#freeBytes = freeBytesOf(this.#directory);
    if (this.#freeBytes <= 0) throw diskFull('the layer', this.#directory);
  }

  /** Counts an entry, which announces `storedBytes` of data. */
  entry(name: string, storedBytes: number): void {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries)
      throw new LayerError(`the layer holds more than ${this.#limits.maxEntries} entries`);
    if (storedBytes > this.#limits.maxBytes - this.#archiveBytes)
      throw new LayerError(
        `a file of ${storedBytes} bytes passes the limit of ${this.#limits.maxBytes} bytes a layer`,
        name,
      );
    if (storedBytes > this.#freeBytes - this.#sinceCheckBytes)
      throw diskFull(`a file of ${storedBytes} bytes`, this.#directory);
  }
}

/** Bytes that may still be written beside `path` (statfs(2)). */
export function freeBytesOf(path: string): number {
  const { bavail, bsize, blocks } = statfsSync(path);
  return bavail * bsize - Math.min(maxReserveBytes, (blocks * bsize) / 20);
}

export function diskFull(what: string, directory: string, cause?: unknown): CortenError {
  return new CortenError(
    'unavailable',
    `no space left on device: ${what} does not fit on the disk of ${directory}; remove unused images or make the disk larger`,
    { cause },
  );
}
