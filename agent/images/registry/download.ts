/**
 * Downloads one blob into a file and hashes it. Content that is in the file already counts: a download that was
 * interrupted, now or in an earlier pull, continues where it ended (Range, RFC 9110 14.2).
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CortenError, invalid } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { hashFile } from '../blobs.ts';
import { diskFull } from '../layer-limits.ts';
import type { HttpResponse } from './http.ts';
import { backoffMs } from './session.ts';

export interface Download {
  digest: string;
  sizeBytes: number;
  path: string;
  /** Opens the blob at an offset and resolves with a response of status 200 or 206; throws otherwise. */
  open: (offset: number) => Promise<HttpResponse>;
  progress: (bytes: number) => void;
  signal: AbortSignal;
}

/** Number of consecutive tries without any new byte. */
const maxFruitlessTries = 5;

/** Throws invalid when the content does not match its digest; the file is then emptied. */
export async function download(work: Download): Promise<void> {
  const file = await open(work.path, 'a+', 0o600);
  try {
    const partial = new PartialFile(file, work);
    const resumed = await partial.takeUp();
    await fetchRest(partial, work);
    if (partial.digest() === work.digest) return;
    const wrong = partial.digest();
    await partial.restart();
    // The content of an earlier pull may have been damaged since, so a download from the start decides.
    if (resumed) {
      await fetchRest(partial, work);
      if (partial.digest() === work.digest) return;
      await partial.restart();
    }
    throw invalid(
      `filesystem layer verification failed for digest ${work.digest}: the registry served ${wrong}`,
    );
  } finally {
    await file.close();
  }
}

async function fetchRest(partial: PartialFile, work: Download): Promise<void> {
  let barren = 0;
  while (partial.offset < work.sizeBytes) {
    work.signal.throwIfAborted();
    const before = partial.offset;
    let failure: unknown;
    try {
      await partial.append(await work.open(partial.offset));
    } catch (error) {
      if (work.signal.aborted) throw work.signal.reason;
      // Refusals and wrong content stay; only an interrupted transfer is tried again.
      if (hasErrno(error, 'ENOSPC', 'EDQUOT')) throw diskFull('the layer', work.path, error);
      if (error instanceof CortenError && (error.kind !== 'unavailable' || before === 0))
        throw error;
      failure = error;
    }
    barren = partial.offset > before ? 0 : barren + 1;
    if (barren === maxFruitlessTries)
      throw new CortenError(
        'unavailable',
        `the download of ${work.digest} stopped at ${partial.offset} of ${work.sizeBytes} bytes; pull again to go on from there`,
        { cause: failure },
      );
    if (failure !== undefined) await sleep(backoffMs(barren), undefined, { signal: work.signal });
  }
}

/** A partial file with the hash of its content. */
class PartialFile {
  readonly #file: FileHandle;
  readonly #work: Download;
  #hash: Hash = createHash('sha256');
  offset = 0;

  constructor(file: FileHandle, work: Download) {
    this.#file = file;
    this.#work = work;
  }

  digest(): string {
    return `sha256:${this.#hash.copy().digest('hex')}`;
  }

  /** Hashes the existing content. Resolves with whether there was any. */
  async takeUp(): Promise<boolean> {
    const { size } = await this.#file.stat();
    if (size > this.#work.sizeBytes) await this.#file.truncate(0);
    if (size === 0 || size > this.#work.sizeBytes) return false;
    const { hash, bytes } = await hashFile(this.#work.path, this.#work.signal);
    this.#hash = hash;
    this.offset = bytes;
    this.#work.progress(bytes);
    return true;
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.#hash = createHash('sha256');
    this.offset = 0;
  }

  async append(response: HttpResponse): Promise<void> {
    const { body } = response;
    try {
      // A registry without Range support sends everything again.
      if (this.offset > 0 && !continuesAt(response, this.offset)) await this.restart();
      for await (const chunk of body) {
        const bytes = chunk as Buffer;
        if (this.offset + bytes.length > this.#work.sizeBytes)
          throw invalid(
            `filesystem layer verification failed for digest ${this.#work.digest}: the registry serves more than the ${this.#work.sizeBytes} bytes that the manifest says`,
          );
        await this.#file.appendFile(bytes);
        this.#hash.update(bytes);
        this.offset += bytes.length;
        this.#work.progress(this.offset);
      }
    } finally {
      body.destroy();
    }
  }
}

function continuesAt({ status, headers }: HttpResponse, offset: number): boolean {
  return status === 206 && (headers['content-range'] ?? '').startsWith(`bytes ${offset}-`);
}
