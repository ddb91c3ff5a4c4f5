/** Copies a file's bytes inside the kernel and keeps holes. */
import { readSync, writeSync } from 'node:fs';
import { hasErrno, libcCall } from './libc.ts';

const lseekCall = libcCall('lseek', ['int', 'int64', 'int'], 'int64');
const copyFileRangeCall = libcCall(
  'copy_file_range',
  ['int', 'void *', 'int', 'void *', 'size_t', 'uint'],
  'long',
);

const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const chunkBytes = 1024 * 1024;

/**
 * Copies the data ranges among the first `sizeBytes` bytes to the same offsets of an empty file. The caller sets the
 * length afterwards, since a hole at the end is not written.
 */
export function copyFileData(from: number, to: number, sizeBytes: number): void {
  for (const { start, end } of dataRanges(from, sizeBytes)) copyRange(from, to, start, end);
}

/** Data ranges of the first `sizeBytes` bytes, in order (lseek(2), SEEK_DATA). */
export function* dataRanges(
  fd: number,
  sizeBytes: number,
): Generator<{ start: number; end: number }> {
  let end = 0;
  for (;;) {
    const start = seek(fd, end, SEEK_DATA);
    if (start === undefined || start >= sizeBytes) return;
    end = Math.min(seek(fd, start, SEEK_HOLE) ?? sizeBytes, sizeBytes);
    yield { start, end };
  }
}

function seek(fd: number, offset: number, whence: number): number | undefined {
  try {
    return lseekCall(undefined, fd, offset, whence);
  } catch (error) {
    // ENXIO means that there is no further data or hole (lseek(2)).
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

function copyRange(from: number, to: number, start: number, end: number): void {
  // The call itself advances both offsets.
  const fromOffset = Buffer.alloc(8);
  fromOffset.writeBigInt64LE(BigInt(start));
  const toOffset = Buffer.from(fromOffset);
  let position = start;
  while (position < end) {
    let count: number;
    try {
      count = copyFileRangeCall(undefined, from, fromOffset, to, toOffset, end - position, 0);
    } catch (error) {
      // These file systems or this kind of file do not support it (copy_file_range(2)).
      if (!hasErrno(error, 'EXDEV', 'EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP')) throw error;
      copyThroughMemory(from, to, position, end);
      return;
    }
    // Zero means that the file became shorter meanwhile.
    if (count === 0) return;
    position += count;
  }
}

function copyThroughMemory(from: number, to: number, start: number, end: number): void {
  const buffer = Buffer.alloc(Math.min(chunkBytes, end - start));
  let position = start;
  while (position < end) {
    const count = readSync(from, buffer, 0, Math.min(buffer.length, end - position), position);
    if (count === 0) return;
    let written = 0;
    while (written < count)
      written += writeSync(to, buffer, written, count - written, position + written);
    position += count;
  }
}
