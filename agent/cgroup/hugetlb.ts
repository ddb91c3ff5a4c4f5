/** The hugetlb controller: huge pages of each size, when they are touched and when they are reserved. */
import { constants, existsSync, openSync, readdirSync } from 'node:fs';
import type { HugetlbLimits } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { readControlIfAny, writeControl, writeLimit } from './control-file.ts';
import { delegateTo } from './delegation.ts';
import { groupPath, makeGroup } from './directories.ts';

const pagesDirectory = '/sys/kernel/mm/hugepages';
/** Not in Node's constants: a descriptor that only names the directory (open(2)). */
const openPathOnly = 0o10000000;

/** Throws invalid for a page size that this machine does not have. */
export function checkPageSizes(
  limits: readonly HugetlbLimits[],
  sizes: readonly number[] = limits.length > 0 ? pageSizes() : [],
): void {
  for (const { pageBytes } of limits)
    if (!sizes.includes(pageBytes))
      throw invalid(
        `This machine has no huge pages of ${pageBytes} bytes; its sizes are ${sizes.join(', ') || 'none'}.`,
      );
}

/** Sizes of huge pages that the kernel knows, in bytes; names are `hugepages-2048kB`. */
function pageSizes(): number[] {
  try {
    return readdirSync(pagesDirectory)
      .map((name) => Number(/^hugepages-(\d+)kB$/.exec(name)?.[1]) * 1024)
      .filter((bytes) => bytes > 0)
      .sort((a, b) => a - b);
  } catch (error) {
    // A kernel without huge pages.
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** `2MB`, as mem_fmt() in mm/hugetlb_cgroup.c names a size in its files. */
export function pageName(pageBytes: number): string {
  for (const [unit, bytes] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
  ] as const)
    if (pageBytes >= bytes) return `${Math.floor(pageBytes / bytes)}${unit}`;
  return `${Math.floor(pageBytes / 1024)}KB`;
}

export function applyHugetlbV1(directory: string, limits: readonly HugetlbLimits[]): void {
  apply(directory, limits, { max: 'limit_in_bytes', reserved: 'rsvd.limit_in_bytes', none: -1 });
}

export function applyHugetlbV2(directory: string, limits: readonly HugetlbLimits[]): void {
  apply(directory, limits, { max: 'max', reserved: 'rsvd.max', none: 'max' });
}

function apply(
  directory: string,
  limits: readonly HugetlbLimits[],
  files: { max: string; reserved: string; none: number | string },
): void {
  for (const { pageBytes, maxBytes, reservedMaxBytes } of limits) {
    const name = pageName(pageBytes);
    const write = (file: string, value: number | null | undefined, limit: string) => {
      if (value !== undefined)
        writeLimit(directory, `hugetlb.${name}.${file}`, value ?? files.none, limit);
    };
    write(files.max, maxBytes, `limit of ${name} pages`);
    write(files.reserved, reservedMaxBytes, `limit of reserved ${name} pages`);
  }
}

/**
 * On a hybrid machine the controllers are on v1 and this one may be on v2 alone. A container gets a
 * group there only once it has such a limit: every container would pay for it otherwise. A group of
 * the v2 hierarchy is entered by CLONE_INTO_CGROUP, or by moving who runs already.
 */
export class UnifiedHugetlb {
  readonly parent: string;
  readonly #mount: string;
  readonly #parentName: string;

  constructor(mount: string, parent: string) {
    this.#mount = mount;
    this.#parentName = parent;
    this.parent = groupPath(mount, parent);
  }

  /** Undefined when this machine keeps the controller elsewhere, or nowhere. */
  static find(mount: string | undefined, parent: string): UnifiedHugetlb | undefined {
    if (mount === undefined) return undefined;
    const controllers = (readControlIfAny(mount, 'cgroup.controllers') ?? '').split(/\s+/);
    return controllers.includes('hugetlb') ? new UnifiedHugetlb(mount, parent) : undefined;
  }

  directory(name: string): string {
    return `${this.parent}/${name}`;
  }

  /** A new group, empty. */
  make(name: string): void {
    delegateTo(this.#mount, this.#parentName, ['hugetlb']);
    makeGroup(this.directory(name));
  }

  /** For clone3; undefined when the container has no group here. The caller closes it. */
  open(name: string): number | undefined {
    if (!this.exists(name)) return undefined;
    return openSync(this.directory(name), openPathOnly | constants.O_DIRECTORY);
  }

  exists(name: string): boolean {
    return existsSync(this.directory(name));
  }

  /** Moves a process. Pages charged before stay charged to the old cgroup. */
  moveIn(name: string, pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        writeControl(this.directory(name), 'cgroup.procs', pid);
      } catch (error) {
        // The process ended meanwhile.
        if (!hasErrno(error, 'ESRCH')) throw error;
      }
    }
  }
}
