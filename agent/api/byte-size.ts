import { readByteSize } from '../contract/byte-size.ts';
import { invalid } from '../errors.ts';

/** Parses a size with a unit such as `10m` into bytes. Throws invalid. */
export function parseBytes(text: string): number {
  const bytes = readByteSize(text);
  if (bytes === undefined) throw invalid(`invalid size: '${text}'. Write it as 512, 10m or 1.5g.`);
  return bytes;
}
