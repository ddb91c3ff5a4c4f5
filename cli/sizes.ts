/** Sizes and counts as people write and read them. */
import { InvalidArgumentError } from 'commander';
import { readByteSize } from '../agent/contract/byte-size.ts';

/** Commander takes a parser's `null` for an option without a value, so no limit is a word. */
export type LimitValue = number | 'none';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Powers of 1024 with at most one decimal: `512 MiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(
    units.length - 1,
    bytes < 1 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024)),
  );
  return `${Math.round((bytes / 1024 ** power) * 10) / 10} ${units[power]}`;
}

/** `512m`, `1.5g`, or `none`. */
export function readSizeLimit(text: string): LimitValue {
  return isNone(text) ? text : readSize(text);
}

export function readSize(text: string): number {
  const bytes = readByteSize(text);
  if (bytes === undefined || bytes === 0)
    throw new InvalidArgumentError('Write a size such as 512m or 1.5g.');
  return bytes;
}

/** Processors, such as `1.5`, or `none`. */
export function readCpusLimit(text: string): LimitValue {
  if (isNone(text)) return text;
  const cpus = Number(text);
  if (!Number.isFinite(cpus) || cpus < 0.01)
    throw new InvalidArgumentError('Write a number of processors such as 2 or 0.5, or none.');
  return cpus;
}

export function readCountLimit(text: string): LimitValue {
  return isNone(text) ? text : readCount(text);
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new InvalidArgumentError('Write a whole number of at least 1.');
  return count;
}

export function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new InvalidArgumentError('Write a whole number of seconds.');
  return seconds;
}

const isNone = (text: string): text is 'none' => text === 'none';

/** For options that may be given more than once. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
