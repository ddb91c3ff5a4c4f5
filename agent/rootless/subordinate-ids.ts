/** Reads subordinate IDs of a user (subuid(5), subgid(5)). */
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

/** Number of IDs that images need: 0 is the user itself, and `nobody` is 65534 in every distribution. */
export const neededIds = 65_536;

/** Parses lines `name-or-uid:first:count` and skips those of other users and malformed ones. */
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
 * Arguments for newuidmap(1) and newgidmap(1): the user is 0, and its ranges follow from 1 on. Each triple is the
 * first ID inside, the first outside, and the count.
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
