import { readByteSize } from '../contract/byte-size.ts';
import { invalid } from '../errors.ts';

/** Throws invalid for what is no size. */
export function parseBytes(text: string): number {
  const bytes = readByteSize(text);
  if (bytes === undefined) throw invalid(`invalid size: '${text}'. Write it as 512, 10m or 1.5g.`);
  return bytes;
}
