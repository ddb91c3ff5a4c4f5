/**
 * Verified content by digest in `blobs/sha256/<hex>` (OCI image-layout.md), and unfinished content in `ingest/`. A
 * download stays in `ingest/<hex>` until its image is committed, so that an interrupted pull continues there, even
 * after a restart.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import { digestOf, hexOf, maxDocumentBytes } from './descriptor.ts';
import { writeDurably } from './durable-file.ts';
import { diskFull, freeBytesOf } from './layer-limits.ts';

/** A download that was not continued for a week is deleted. */
const ingestKeptMs = 7 * 24 * 60 * 60 * 1000;
const spaceCheckBytes = 32 * 1024 ** 2;

export class BlobStore {
  readonly #blobs: string;
  readonly #ingest: string;
  /** Names in `ingest/` that are in use. */
  readonly #active = new Set<string>();

  constructor(root: string) {
    this.#blobs = join(root, 'blobs', 'sha256');
    this.#ingest = join(root, 'ingest');
  }

  async makeDirectories(): Promise<void> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(this.#ingest, { recursive: true, mode: 0o700 });
  }

  has(digest: string): boolean {
    return existsSync(this.pathOf(digest));
  }

  pathOf(digest: string): string {
    return join(this.#blobs, hexOf(digest));
  }

  sizeOf(digest: string): number {
    return statSync(this.pathOf(digest)).size;
  }

  /** Reads a manifest or a configuration. */
  readDocument(digest: string): Buffer {
    const bytes = readFileSync(this.pathOf(digest));
    if (bytes.length > maxDocumentBytes || digestOf(bytes) !== digest)
      throw new Error(`${this.pathOf(digest)} is damaged: its content is not what its name says`);
    return bytes;
  }

  async putDocument(bytes: Uint8Array): Promise<string> {
    const digest = digestOf(bytes);
    if (!this.has(digest)) await writeDurably(this.pathOf(digest), bytes);
    return digest;
  }

  /** Path of a blob's download; the sweep leaves it alone until `release`. */
  ingestPath(digest: string): string {
    this.#active.add(hexOf(digest));
    return join(this.#ingest, hexOf(digest));
  }

  release(digest: string): void {
    this.#active.delete(hexOf(digest));
  }

  /** Moves a finished and verified download to its final name. */
  async commit(digest: string): Promise<void> {
    try {
      await rename(join(this.#ingest, hexOf(digest)), this.pathOf(digest));
    } catch (error) {
      // Another pull of the same blob has committed it already.
      if (!hasErrno(error, 'ENOENT') || !this.has(digest)) throw error;
    }
  }

  /** Path of a complete blob, which may still be in `ingest/`. */
  locate(digest: string): string {
    return this.has(digest) ? this.pathOf(digest) : join(this.#ingest, hexOf(digest));
  }

  async discardIngest(digest: string): Promise<void> {
    await rm(join(this.#ingest, hexOf(digest)), { force: true });
  }

  /** Creates a directory for one load; the sweep removes it after a crash. */
  async temporaryDirectory(): Promise<{ path: string; remove: () => Promise<void> }> {
    const name = `load-${randomBytes(6).toString('hex')}`;
    const path = join(this.#ingest, name);
    this.#active.add(name);
    await mkdir(path, { mode: 0o700 });
    const remove = async () => {
      await rm(path, { recursive: true, force: true });
      this.#active.delete(name);
    };
    return { path, remove };
  }

  /** Moves a verified file to the blobs. */
  async adopt(path: string, digest: string): Promise<void> {
    if (!this.has(digest)) await rename(path, this.pathOf(digest));
  }

  async remove(digest: string): Promise<void> {
    await rm(this.pathOf(digest), { force: true });
  }

  async sweep(isUsed: (digest: string) => boolean): Promise<void> {
    for (const name of readdirSync(this.#blobs)) {
      const isBlob = /^[0-9a-f]{64}$/.test(name);
      if (!isBlob || !isUsed(`sha256:${name}`)) await rm(join(this.#blobs, name), { force: true });
    }
    for (const name of readdirSync(this.#ingest)) {
      if (this.#active.has(name)) continue;
      const path = join(this.#ingest, name);
      const { mtimeMs } = await stat(path);
      const resumable = /^[0-9a-f]{64}$/.test(name) && Date.now() - mtimeMs < ingestKeptMs;
      if (!resumable) await rm(path, { recursive: true, force: true });
    }
  }
}

/** Hash of a file's first bytes, to be continued. */
export async function hashFile(
  path: string,
  signal?: AbortSignal,
): Promise<{ hash: Hash; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { hash, bytes };
}

/** Writes a stream of unknown length to a new file and hashes it. It stops before the disk is full. */
export async function spool(
  source: AsyncIterable<Buffer>,
  path: string,
  tap: (chunk: Buffer) => void = () => {},
): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  let sizeBytes = 0;
  let unchecked = spaceCheckBytes;
  try {
    for await (const chunk of source) {
      unchecked += chunk.length;
      if (unchecked >= spaceCheckBytes) {
        unchecked = 0;
        if (freeBytesOf(path) <= 0) throw diskFull('the archive', path);
      }
      tap(chunk);
      hash.update(chunk);
      await file.appendFile(chunk);
      sizeBytes += chunk.length;
    }
  } finally {
    await file.close();
  }
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}
