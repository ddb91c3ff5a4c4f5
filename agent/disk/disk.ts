/**
 * Limits of disk space and inodes.
 *
 * Glossary: a *space* is a directory with limited content, such as a container's writable layer or a volume's files.
 * The *driver* enforces the limit, and is chosen by what the state file system offers: a project quota on the
 * directory, a qgroup of a subvolume, or a file system of its own in a sparse file, which is mounted at the space's
 * path.
 *
 * The life of a space: `prepare` does what may take time and returns a function that creates the space at once;
 * `open` makes its content accessible to this process (for a start, `docker cp` or `diff`), whether a container uses
 * it or not; `update` changes the limits at any time; `remove` deletes the space with its content.
 */
import type { Lack } from '../contract/abilities.ts';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';

export type DiskKind = 'xfs-quota' | 'ext4-quota' | 'btrfs-qgroup' | 'loop' | 'none';

/** Drivers for layers and for the rest; layers may be on a file system of their own (shared-disk.ts). */
export interface Disks {
  layers: DiskDriver;
  volumes: DiskDriver;
}

export interface DiskDriver {
  /** For the kind `none`: the reason and the next step. */
  readonly lack?: Lack;
  readonly kind: DiskKind;
  /**
   * Whether a space without limits costs nothing, so that every container should have one: a limit can be added later
   * only to a space.
   */
  readonly freeOfCost: boolean;
  /** True when the driver cannot limit inodes, and statfs(2) in a space does not show the free bytes. */
  readonly bytesOnly?: true;
  /** True when a container's space is beside the layers and not in the container's directory. */
  readonly amongLayers?: true;
  /** Throws invalid, with the next step, for limits that this driver cannot enforce. */
  prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace>;
  open(space: string, limits: DiskLimits): OpenSpace;
  /** Makes the content visible at the space's path, for a volume. May be repeated. */
  attach(space: string, limits: DiskLimits): void;
  /** Undoes `attach`; current users of the content keep it. */
  detach(space: string): void;
  /** Throws the errors that `update` would for these limits, but changes nothing. */
  check(space: string, before: DiskLimits, after: DiskLimits): void;
  /** Changes limits; one that is absent in `after` stays as in `before`. Throws conflict for a limit that is fixed. */
  update(space: string, before: DiskLimits, after: DiskLimits): void;
  usage(space: string, limits: DiskLimits): SpaceUsage;
  /** Removes a space, which may be absent or incomplete. */
  remove(space: string): Promise<void>;
  /** Releases what was created in advance. Spaces and their users stay. */
  close(): void;
}

/** Directory that is created in a new space, owned by root. */
export interface SpaceDirectory {
  name: string;
  mode: number;
}

/** Creates a space at a path whose parent exists. Synchronous and quick; leaves nothing when it throws. */
export type MakeSpace = (space: string) => void;

export interface OpenSpace {
  /** Path of the content, valid only in this process and until it is closed. */
  readonly path: string;
  /** A detached mount for the space's path; `undefined` when the content is at the path itself. */
  readonly mountFd: number | undefined;
  /** Closes the descriptors; mounts made from them stay. */
  close(): void;
}
