/** One layer blob into one empty directory: decompress, verify, write. Runs in the unpack worker. */
import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, openat2 } from '../kernel/files.ts';
import { compressionOf, decompressor } from './compression.ts';
import { headOf } from './file-head.ts';
import { LayerError } from './layer-error.ts';
import { UnpackBudget, type UnpackLimits } from './layer-limits.ts';
import { LayerWriter } from './layer-writer.ts';
import { TarReader } from './tar-reader.ts';

export interface UnpackRequest {
  blobPath: string;
  directory: string;
  /** Digest of the decompressed archive that the image promises. */
  diffId: string;
  limits: UnpackLimits;
}

/**
 * Resolves with the bytes of all files. Throws CortenError for whatever is wrong with the layer; the
 * directory is then left half full, for the caller to remove. `progress` gets compressed bytes read.
 */
export async function unpackLayer(
  { blobPath, directory, diffId, limits }: UnpackRequest,
  progress: (compressedBytes: number) => void,
  cancelled: () => boolean,
): Promise<number> {
  const budget = new UnpackBudget(directory, limits);
  const rootFd = openat2(AT_FDCWD, directory, constants.O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  const writer = new LayerWriter(rootFd, budget);
  const reader = new TarReader(writer);
  const hash = createHash('sha256');
  try {
    for await (const chunk of plainBytes(blobPath, progress)) {
      if (cancelled()) throw new LayerError('unpacking was cancelled');
      budget.decompressed(chunk.length);
      hash.update(chunk);
      reader.push(chunk);
    }
    reader.end();
    const actual = `sha256:${hash.digest('hex')}`;
    if (actual !== diffId)
      throw new LayerError(`the layer's content is ${actual}, but its image says ${diffId}`);
    writer.finish();
    return writer.fileBytes;
  } finally {
    writer.close();
    closeSync(rootFd);
  }
}

async function* plainBytes(
  blobPath: string,
  progress: (compressedBytes: number) => void,
): AsyncGenerator<Buffer> {
  const transform = decompressor(compressionOf(headOf(blobPath)));
  const file = createReadStream(blobPath, { highWaterMark: 1024 * 1024 });
  let read = 0;
  file.on('data', (chunk) => {
    read += chunk.length;
    progress(read);
  });
  let source: Readable = file;
  if (transform !== undefined) {
    // pipe() does not pass errors on, and without this the loop below would wait for ever.
    file.on('error', (error) => transform.destroy(error));
    source = file.pipe(transform);
  }
  try {
    for await (const chunk of source) yield chunk as Buffer;
  } catch (error) {
    // zlib's errors: the blob is what its digest says, but it is no archive.
    if (
      error instanceof Error &&
      'code' in error &&
      /^(Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code))
    )
      throw new LayerError(`the layer is damaged (${error.message})`, undefined, error);
    throw error;
  } finally {
    file.destroy();
    transform?.destroy();
  }
}
