/**
 * Ranges of 65536 host ids for containers with a user namespace. The random container id chooses
 * the range, so that the range of a removed container, whose files may remain in a bind mount, is
 * not reused soon, and so that two agents hardly ever choose the same one.
 */
import { readFileSync } from 'node:fs';
import { CortenError } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';

export interface IdBlock {
  first: number;
  length: number;
}

export interface IdPool extends IdBlock {
  /** Ranges that other programs allocate (subuid(5)), read anew for each draw. */
  reserved(): IdBlock[];
}

export const rangeLength = 65_536;

/**
 * The ids that systemd's UIDS-GIDS.md leaves unassigned above its own containers, without those in
 * subuid(5) and subgid(5).
 */
export const defaultIdPool: IdPool = {
  first: 0x7000_0000,
  length: 0x0ffe_0000,
  reserved: () => ['/etc/subuid', '/etc/subgid'].flatMap(readSubordinateIds),
};

/** Throws unavailable when every range is in use. */
export function drawRange(pool: IdPool, taken: readonly IdBlock[], containerId: string): IdBlock {
  const count = Math.floor(pool.length / rangeLength);
  const used = [...taken, ...pool.reserved()];
  const start = Number(BigInt(`0x${containerId.slice(0, 12)}`) % BigInt(count));
  for (let step = 0; step < count; step++) {
    const first = pool.first + ((start + step) % count) * rangeLength;
    const range = { first, length: rangeLength };
    if (!used.some((other) => overlap(range, other))) return range;
  }
  throw new CortenError(
    'unavailable',
    `all ${count} ranges of user ids are in use; remove a container, give --userns-remap more ids, or run this one with --userns=host`,
  );
}

function overlap(one: IdBlock, other: IdBlock): boolean {
  return one.first < other.first + other.length && other.first < one.first + one.length;
}

/** Parses lines of the form `name:first:count` and ignores all others. */
function readSubordinateIds(path: string): IdBlock[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return text
    .split('\n')
    .map((line) => /^[^:]+:(\d+):(\d+)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map(([, first, length]) => ({ first: Number(first), length: Number(length) }));
}
