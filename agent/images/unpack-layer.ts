/** Unpacks one layer blob into an empty directory: decompresses, verifies and writes. Runs in the unpack worker. */
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
  /** Expected digest of the decompressed archive. */
  diffId: string;
  limits: UnpackLimits;
}

/**
 * Resolves with the bytes of all files. Throws CortenError for an invalid layer, and then the caller must remove the
 * incomplete directory. `progress` gets the number of compressed bytes read.
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
    // pipe() does not forward errors, and without this the loop below would wait forever.
    file.on('error', (error) => transform.destroy(error));
    source = file.pipe(transform);
  }
  try {
    for await (const chunk of source) yield chunk as Buffer;
  } catch (error) {
    // An error of zlib means that the blob matches its digest but is no valid archive.
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
