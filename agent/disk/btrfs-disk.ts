/**
 * Spaces are subvolumes of the state file system, each with a qgroup, when quotas are on (btrfs-quota(5)). Limits of
 * bytes change at any time; btrfs counts no inodes, and statfs(2) does not know qgroups.
 */
import { constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import {
  destroyQgroup,
  destroySubvolume,
  limitQgroup,
  makeSubvolume,
  qgroupsOf,
  readQgroup,
  subvolumeOf,
} from '../kernel/btrfs.ts';
import { O_DIRECTORY, O_NOFOLLOW, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { DiskDriver, MakeSpace, OpenSpace, SpaceDirectory } from './disk.ts';

/** Directory of qgroups in sysfs; `undefined` when quotas are off or `root` is not on btrfs. */
export function findQgroups(root: string): string | undefined {
  try {
    const qgroups = withDirectory(root, qgroupsOf);
    return existsSync(qgroups) ? qgroups : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOTTY')) return undefined;
    throw error;
  }
}

export class BtrfsDisk implements DiskDriver {
  readonly kind = 'btrfs-qgroup';
  readonly freeOfCost = true;
  readonly bytesOnly = true;
  readonly #qgroups: string;

  constructor(qgroups: string) {
    this.#qgroups = qgroups;
  }

  async prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace> {
    refuseInodes(limits);
    return (space) =>
      withDirectory(dirname(space), (parent) => {
        makeSubvolume(parent, basename(space));
        try {
          withDirectory(space, (fd) => limitQgroup(fd, subvolumeOf(fd), limits.maxBytes ?? 0));
          for (const { name, mode } of directories) mkdirSync(join(space, name), { mode });
        } catch (error) {
          destroySubvolume(parent, basename(space));
          throw error;
        }
      });
  }

  open(space: string): OpenSpace {
    return { path: space, mountFd: undefined, close() {} };
  }

  attach(): void {}

  detach(): void {}

  check(_space: string, _before: DiskLimits, after: DiskLimits): void {
    refuseInodes(after);
  }

  update(space: string, _before: DiskLimits, after: DiskLimits): void {
    refuseInodes(after);
    withDirectory(space, (fd) => limitQgroup(fd, subvolumeOf(fd), after.maxBytes ?? 0));
  }

  usage(space: string): SpaceUsage {
    const group = readQgroup(this.#qgroups, withDirectory(space, subvolumeOf));
    return {
      usedBytes: group?.usedBytes ?? 0,
      maxBytes: group?.maxBytes || undefined,
      usedInodes: undefined,
      maxInodes: undefined,
    };
  }

  async remove(space: string): Promise<void> {
    try {
      withDirectory(dirname(space), (parent) => {
        const id = withDirectory(space, subvolumeOf);
        // A full qgroup would refuse the removal of its own files, where that takes several steps.
        limitQgroup(parent, id, 0);
        destroySubvolume(parent, basename(space));
        destroyQgroup(parent, id);
      });
    } catch (error) {
      // ENOENT and others are no error: the qgroup is absent; its files are still being freed, and Linux 6.13 and
      // later remove the qgroup with them; another subvolume is in it; or it is no subvolume and is removed file by
      // file, because rmdir(2) removes a subvolume too.
      if (!hasErrno(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY', 'EINVAL', 'ENOTTY')) throw error;
    }
    await rm(space, { recursive: true, force: true });
  }

  close(): void {}
}

function refuseInodes({ maxInodes }: DiskLimits): void {
  if (maxInodes != null)
    throw invalid(
      'btrfs counts no inodes, so their number cannot be limited: limit the bytes, or keep the state (--root) on XFS or ext4 with project quota.',
    );
}

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  return withFd(openSync(path, constants.O_RDONLY | O_DIRECTORY | O_NOFOLLOW), use);
}
