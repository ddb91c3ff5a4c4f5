/**
 * The archive of a layer that was made here: its directory as a tar stream, the same bytes each time. So nothing but the
 * directory has to be kept, and the archive is made when somebody wants it. Runs in the unpack worker when it is long.
 */
import { createHash } from 'node:crypto';
import { closeSync, createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { openDirectory } from '../kernel/files.ts';
import type { Compression } from './compression.ts';
import { LayerError } from './layer-error.ts';
import { archiveTree } from './tree-archive.ts';

export interface ArchiveRequest {
  /** An overlayfs lower. */
  directory: string;
  /** Later times of files become this one. */
  latestNanos?: bigint;
  /** A new file for the archive; absent: it is only described. */
  output?: { path: string; compression: Compression; level?: number };
}

export interface ArchivedLayer {
  /** Of the plain archive. */
  diffId: string;
  archiveBytes: number;
  /** The contents of all files. */
  fileBytes: number;
  /** Of what was written; without an output the same as of the plain archive. */
  digest: string;
  sizeBytes: number;
}

/** Throws LayerError when it was cancelled. */
export async function archiveLayer(
  { directory, latestNanos, output }: ArchiveRequest,
  cancelled: () => boolean,
): Promise<ArchivedLayer> {
  const plain = new Counter();
  let fileBytes = 0;
  const tree = function* () {
    for (const piece of layerArchive(directory, {
      latestNanos,
      counted: (n) => (fileBytes += n),
    })) {
      if (cancelled()) throw new LayerError('the archive was cancelled');
      plain.add(piece);
      yield piece;
    }
  };
  let written = plain;
  if (output === undefined) for (const _ of tree());
  else written = await write(tree(), output, plain);
  const { digest, bytes: sizeBytes } = written.end();
  const { digest: diffId, bytes: archiveBytes } = plain.end();
  return { diffId, archiveBytes, fileBytes, digest, sizeBytes };
}

/** The plain archive. Its entries are named from the root, without a slash, and the root has none of its own. */
export function* layerArchive(
  directory: string,
  { latestNanos, counted }: { latestNanos?: bigint; counted?: (fileBytes: number) => void } = {},
): Generator<Buffer> {
  const fd = openDirectory(directory);
  try {
    yield* archiveTree(fd, '.', {
      name: Buffer.alloc(0),
      stayOnMount: false,
      ids: undefined,
      asLayer: {},
      ...(latestNanos !== undefined && { latestNanos }),
      ...(counted && { counted }),
    });
  } finally {
    closeSync(fd);
  }
}

/** As {@link layerArchive}; the stream fails at its end when the archive is not what it was described as. */
export function verifiedArchive(directory: string, diffId: string): Readable {
  const counter = new Counter();
  const pieces = function* () {
    for (const piece of layerArchive(directory)) {
      counter.add(piece);
      yield piece;
    }
    const { digest } = counter.end();
    if (digest !== diffId)
      throw new LayerError(
        `the files of layer ${diffId} have changed on disk: they make ${digest} now`,
      );
  };
  return Readable.from(pieces(), { objectMode: false });
}

async function write(
  tree: Iterable<Buffer>,
  { path, compression, level }: NonNullable<ArchiveRequest['output']>,
  plain: Counter,
): Promise<Counter> {
  const source = Readable.from(tree, { objectMode: false });
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const compressor = compressorOf(compression, level);
  if (compressor === undefined) {
    await pipeline(source, file);
    return plain;
  }
  const counter = new Counter();
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      counter.add(chunk);
      done(null, chunk);
    },
  });
  await pipeline(source, compressor, counting, file);
  return counter;
}

/** Docker's and BuildKit's own level, when none is given. */
const defaultLevels = { gzip: 6, zstd: 3 };

function compressorOf(compression: Compression, level: number | undefined): Transform | undefined {
  const chunkSize = 256 * 1024;
  if (compression === 'gzip') return createGzip({ chunkSize, level: level ?? defaultLevels.gzip });
  if (compression !== 'zstd') return undefined;
  const params = { [constants.ZSTD_c_compressionLevel]: level ?? defaultLevels.zstd };
  return createZstdCompress({ chunkSize, params });
}

class Counter {
  readonly #hash = createHash('sha256');
  bytes = 0;
  #digest: string | undefined;

  add(piece: Buffer): void {
    this.#hash.update(piece);
    this.bytes += piece.length;
  }

  end(): { digest: string; bytes: number } {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    return { digest: this.#digest, bytes: this.bytes };
  }
}
