/** Finds how a layer or archive is compressed by its first bytes, since media types are often wrong. */
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { invalid } from '../errors.ts';
import { mediaTypes } from './descriptor.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Number of first bytes that {@link compressionOf} needs. */
export const magicBytes = 6;

/**
 * Magic numbers of RFC 1952 2.3.1 and RFC 8878 3.1.1 and 3.1.2; zstd:chunked begins with a skippable frame. Throws
 * invalid for bzip2 and xz.
 */
export function compressionOf(head: Buffer): Compression {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4) {
    const magic = head.readUInt32LE(0);
    if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd';
  }
  if (head.toString('latin1', 0, 3) === 'BZh' || head.toString('latin1', 1, 5) === '7zXZ')
    throw invalid(
      'the archive is compressed with bzip2 or xz: compress it with gzip or zstd instead',
    );
  return 'none';
}

/** Returns `undefined` when nothing has to be decompressed. */
export function decompressor(compression: Compression): Transform | undefined {
  const chunkSize = 256 * 1024;
  if (compression === 'gzip') return createGunzip({ chunkSize });
  if (compression === 'zstd') return createZstdDecompress({ chunkSize });
  return undefined;
}

export function layerMediaType(compression: Compression): string {
  if (compression === 'gzip') return mediaTypes.layerGzip;
  return compression === 'zstd' ? mediaTypes.layerZstd : mediaTypes.layer;
}
