/** Files as they are sent: one zstd frame each, made by Node's own zstd, so that a version means one form. */
import { readFileSync, writeFileSync } from 'node:fs';
import { constants, zstdCompressSync } from 'node:zlib';

/** 128 MiB, the most that a decompressor takes without being told to (zstd(1), --long). */
const windowLog = 27;

/** For tests, and for people: 1 takes seconds, 19 minutes. */
export function compressFile(path: string, level: number): string {
  const compressed = `${path}.zst`;
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: windowLog,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
  writeFileSync(compressed, zstdCompressSync(readFileSync(path), { params }));
  return compressed;
}
