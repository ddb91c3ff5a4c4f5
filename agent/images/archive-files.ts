/** The files of an image archive, written to a directory so that they can be read in any order. */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { invalid } from '../errors.ts';
import { compressionOf, decompressor, magicBytes } from './compression.ts';
import { diskFull, freeBytesOf } from './layer-limits.ts';
import { type TarEntry, TarReader, type TarSink } from './tar-reader.ts';

export interface ArchiveFile {
  path: string;
  digest: string;
  sizeBytes: number;
}

const maxFiles = 20_000;
const maxLinks = 10;
const spaceCheckBytes = 32 * 1024 ** 2;

/** Reads an archive to its end. Only numbered files are written, into `directory`. */
export async function readArchive(
  archive: Readable,
  directory: string,
  signal: AbortSignal,
): Promise<ArchiveFiles> {
  const files = new ArchiveFiles(directory);
  const reader = new TarReader(files);
  try {
    for await (const chunk of plain(archive)) {
      signal.throwIfAborted();
      reader.push(chunk);
    }
    reader.end();
  } finally {
    files.close();
  }
  return files;
}

export class ArchiveFiles implements TarSink {
  readonly #directory: string;
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();
  #current: { name: string; path: string; fd: number; hash: Hash; sizeBytes: number } | undefined;
  #count = 0;
  #uncheckedBytes = spaceCheckBytes;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Finds a file by its name in the archive, and follows links, which old versions of `docker save` write. */
  find(name: string): ArchiveFile | undefined {
    let at = cleaned(name);
    for (let links = 0; links < maxLinks; links++) {
      const target = this.#links.get(at);
      if (target === undefined) return this.#files.get(at);
      at = target;
    }
    return undefined;
  }

  byDigest(digest: string): ArchiveFile | undefined {
    for (const file of this.#files.values()) if (file.digest === digest) return file;
    return undefined;
  }

  /** Content of a small document; `undefined` when there is none of that name. Throws invalid beyond `maxBytes`. */
  document(name: string, maxBytes: number): Buffer | undefined {
    const file = this.find(name);
    if (file === undefined) return undefined;
    if (file.sizeBytes > maxBytes)
      throw invalid(`the archive is absurd: its ${name} has ${file.sizeBytes} bytes`);
    return readFileSync(file.path);
  }

  entry(entry: TarEntry): void {
    const name = cleaned(entry.name);
    if (++this.#count > maxFiles) throw invalid(`the archive holds more than ${maxFiles} files`);
    if (entry.type === 'symlink')
      this.#links.set(name, cleaned(posix.join(posix.dirname(name), entry.linkName)));
    else if (entry.type === 'hardlink') this.#links.set(name, cleaned(entry.linkName));
    else if (entry.type === 'file') this.#open(name, entry);
  }

  data(bytes: Buffer): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#uncheckedBytes += bytes.length;
    if (this.#uncheckedBytes >= spaceCheckBytes) {
      this.#uncheckedBytes = 0;
      if (freeBytesOf(this.#directory) <= 0) throw diskFull('the archive', this.#directory);
    }
    let written = 0;
    while (written < bytes.length) written += writeSync(current.fd, bytes, written);
    current.hash.update(bytes);
    current.sizeBytes += bytes.length;
  }

  endEntry(): void {
    const current = this.#current;
    if (current === undefined) return;
    closeSync(current.fd);
    this.#current = undefined;
    const { name, path, hash, sizeBytes } = current;
    this.#files.set(name, { path, digest: `sha256:${hash.digest('hex')}`, sizeBytes });
  }

  close(): void {
    if (this.#current !== undefined) closeSync(this.#current.fd);
    this.#current = undefined;
  }

  #open(name: string, entry: TarEntry): void {
    if (entry.sizeBytes !== entry.storedBytes)
      throw invalid(`the image archive holds a sparse file, ${JSON.stringify(name)}`);
    if (entry.storedBytes > freeBytesOf(this.#directory))
      throw diskFull(`a file of ${entry.storedBytes} bytes`, this.#directory);
    const path = join(this.#directory, String(this.#count));
    const fd = openSync(path, 'wx', 0o600);
    this.#current = { name, path, fd, hash: createHash('sha256'), sizeBytes: 0 };
  }
}

/** Names are only looked up and never opened, so normalising them is enough. */
function cleaned(name: string): string {
  return posix.join('/', name).replace(/\/$/, '').slice(1);
}

/** The tar bytes of an archive that may be compressed as a whole. */
async function* plain(archive: Readable): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  const iterator = archive[Symbol.asyncIterator]();
  while (head.length < magicBytes) {
    const next = await iterator.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value as Buffer]);
  }
  const rest = async function* () {
    yield head;
    for (;;) {
      const next = await iterator.next();
      if (next.done) return;
      yield next.value as Buffer;
    }
  };
  const transform = decompressor(compressionOf(head));
  if (transform === undefined) yield* rest();
  else yield* decompressed(rest(), transform);
}

async function* decompressed(
  source: AsyncIterable<Buffer>,
  transform: Transform,
): AsyncGenerator<Buffer> {
  pipeline(source, transform, () => {
    // The loop below gets the errors too, since pipeline destroys the transform with them.
  });
  try {
    for await (const chunk of transform) yield chunk as Buffer;
  } catch (error) {
    throw invalid(
      `the archive cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
}
