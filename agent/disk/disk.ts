/**
 * Disk space and inodes as a limit.
 *
 * Glossary. A *space* is a directory whose content is limited: it holds a container's writable layer
 * or a volume's files. What limits it is the *driver's* matter, chosen by what the state file system
 * can do: a project quota on the directory itself, the qgroup of a subvolume, or a file system of its own in a
 * sparse file, which the space's path is the place to mount.
 *
 * One life: `prepare` does what may take time and gives back a maker; the maker makes the space at
 * once; `open` brings its content within reach of this process (for a start, `docker cp` or `diff`),
 * whether a container uses it meanwhile or not; `update` changes the limits, also then; `remove` takes
 * it away with all that it holds.
 */
import type { Lack } from '../contract/abilities.ts';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';

export type DiskKind = 'xfs-quota' | 'ext4-quota' | 'btrfs-qgroup' | 'loop' | 'none';

/** Layers may lie on a file system of their own (shared-disk.ts). */
export interface Disks {
  layers: DiskDriver;
  volumes: DiskDriver;
}

export interface DiskDriver {
  /** Of the kind `none`: why, and what to do. */
  readonly lack?: Lack;
  readonly kind: DiskKind;
  /**
   * Whether a space without limits costs nothing, so that every container should have one: only a
   * space can be given a limit later.
   */
  readonly freeOfCost: boolean;
  /** It knows no limit of inodes, and statfs(2) in a space does not say what is left of the bytes. */
  readonly bytesOnly?: true;
  /** A container's space belongs where the layers lie, and not into the container's own directory. */
  readonly amongLayers?: true;
  /** Throws invalid for limits that this driver cannot hold, with what to do about it. */
  prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace>;
  open(space: string, limits: DiskLimits): OpenSpace;
  /** Makes the content visible at the space's own path, for a volume. No error when it is already. */
  attach(space: string, limits: DiskLimits): void;
  /** The reverse; whoever uses the content goes on. */
  detach(space: string): void;
  /** Throws what `update` would for these limits, and changes nothing. */
  check(space: string, before: DiskLimits, after: DiskLimits): void;
  /** Absent in `after`: as in `before`. Throws conflict for what cannot be changed any more. */
  update(space: string, before: DiskLimits, after: DiskLimits): void;
  usage(space: string, limits: DiskLimits): SpaceUsage;
  /** No error when there is none, or only a part of one. */
  remove(space: string): Promise<void>;
  /** Gives back what was made in advance. Spaces stay, and so does what uses them. */
  close(): void;
}

/** Made in a new space, owned by root. */
export interface SpaceDirectory {
  name: string;
  mode: number;
}

/** Makes a space at a path whose parent exists. Synchronous and quick; leaves nothing when it throws. */
export type MakeSpace = (space: string) => void;

export interface OpenSpace {
  /** A path of the content that only this process can use, and only until it is closed. */
  readonly path: string;
  /** A detached mount that belongs at the space's path; undefined when the content lies there. */
  readonly mountFd: number | undefined;
  /** What was mounted from it stays. */
  close(): void;
}
