/** Parses IDs and privileges of a process (proc_pid_status(5), user_namespaces(7)). */

export interface ProcessStatus {
  /** Effective IDs in the reader's user namespace. */
  uid: number;
  gid: number;
  groups: readonly number[];
  /** Bits by the numbers of capabilities(7). */
  capabilities: {
    inheritable: bigint;
    permitted: bigint;
    effective: bigint;
    bounding: bigint;
    ambient: bigint;
  };
  noNewPrivileges: boolean;
  seccomp: 'none' | 'strict' | 'filter';
  /** Number of seccomp filters; `undefined` before Linux 5.9. */
  seccompFilters: number | undefined;
}

const seccompModes = ['none', 'strict', 'filter'] as const;

/**
 * Parses the status. The kernel escapes newlines in `Name`, so a process cannot forge a line. Throws when a field is
 * missing, because a report that guesses could call a container safe that is not.
 */
export function parseStatus(text: string): ProcessStatus {
  const fields = new Map(
    text.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const field = (name: string) => {
    const value = fields.get(name);
    if (value === undefined) throw new Error(`the kernel's status of a process has no ${name}`);
    return value;
  };
  const effective = (name: string) => Number(field(name).split(/\s+/)[1]);
  const mask = (name: string) => BigInt(`0x${field(name)}`);
  const filters = fields.get('Seccomp_filters');
  return {
    uid: effective('Uid'),
    gid: effective('Gid'),
    groups: field('Groups').split(' ').filter(Boolean).map(Number),
    capabilities: {
      inheritable: mask('CapInh'),
      permitted: mask('CapPrm'),
      effective: mask('CapEff'),
      bounding: mask('CapBnd'),
      ambient: mask('CapAmb'),
    },
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: seccompModes[Number(field('Seccomp'))] ?? 'filter',
    seccompFilters: filters === undefined ? undefined : Number(filters),
  };
}

/** A range of IDs inside a user namespace and its first ID outside. */
export interface IdRange {
  inside: number;
  outside: number;
  count: number;
}

/** Parses `/proc/<pid>/uid_map` and `gid_map`. */
export function parseIdMap(text: string): IdRange[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((numbers) => numbers.length === 3 && numbers.every(Number.isSafeInteger))
    .map(([inside = 0, outside = 0, count = 0]) => ({ inside, outside, count }));
}

/** ID inside; `undefined` for an ID that is not mapped. */
export function idInside(map: readonly IdRange[], id: number): number | undefined {
  const range = map.find(({ outside, count }) => id >= outside && id - outside < count);
  return range && range.inside + (id - range.outside);
}
