/** Ids that the machine's root has set aside for a user (subuid(5), subgid(5)). */
import { readFileSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';

export interface SubordinateRange {
  first: number;
  count: number;
}

export interface User {
  name: string;
  uid: number;
}

/** What an image's files and users need: 0 is the user itself, and `nobody` is 65534 in every distribution. */
export const neededIds = 65_536;

/** Lines of `name-or-uid:first:count`; those of others and what is no such line are left out. */
export function parseSubordinateIds(text: string, { name, uid }: User): SubordinateRange[] {
  return text.split('\n').flatMap((line) => {
    const [owner, first, count] = line.trim().split(':');
    if (owner !== name && owner !== String(uid)) return [];
    const range = { first: Number(first), count: Number(count) };
    return Number.isSafeInteger(range.first) && Number.isSafeInteger(range.count) && range.count > 0
      ? [range]
      : [];
  });
}

export function subordinateIds(path: string, user: User): SubordinateRange[] {
  try {
    return parseSubordinateIds(readFileSync(path, 'utf8'), user);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/**
 * What newuidmap(1) and newgidmap(1) take: the user is 0, and its ranges follow from 1 on. Each number is
 * inside, outside, how many.
 */
export function mapArguments(own: number, ranges: readonly SubordinateRange[]): string[] {
  const map = [0, own, 1];
  let inside = 1;
  for (const { first, count } of ranges) {
    map.push(inside, first, count);
    inside += count;
  }
  return map.map(String);
}

export const totalIds = (ranges: readonly SubordinateRange[]) =>
  ranges.reduce((total, { count }) => total + count, 0);
