/**
 * A pool of file systems for `/dev`, `/dev/pts`, `/dev/shm` and v1's cgroup directory, made while
 * the launcher is idle. They show no namespace of a container; `/dev` already has the default nodes
 * and links. Each is used by one container. The next ones are made like those of the last
 * container, because most containers are alike.
 * Measured: a start of 7.6 ms takes 7.8 ms without it (scripts/bench start, median of three runs of 30).
 */
import { closeSync } from 'node:fs';
import { posix } from 'node:path';
import { mkdirat } from '../kernel/files.ts';
import { type FilesystemOption, newFilesystem } from '../kernel/mount.ts';
import { groupNames, newGroupTree } from './cgroup-mount.ts';
import { fillNewDev } from './devices.ts';
import { isPlain, type PlannedMount } from './mounts.ts';

/** A `/dev` with other mounts below it is not pooled, because its directories depend on them. */
const usualBelowDev = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue']);

interface Recipe {
  use: 'dev' | 'groups' | 'other';
  type: string;
  source: string;
  parameters: readonly FilesystemOption[];
  attributes: number;
  /** Directories to make as mount points. */
  directories: readonly string[];
}

export class MountPool {
  /** What the last container needed, by the parameters of the file system. */
  #wanted = new Map<string, Recipe>();
  readonly #made = new Map<string, number>();

  /** Gives the pooled file systems to the mounts that match exactly. */
  give(planned: readonly PlannedMount[], cgroupPaths: ReadonlyMap<string, string>): void {
    this.#wanted = new Map();
    for (const mount of planned) {
      const recipe = recipeOf(mount, planned, groupNames(cgroupPaths));
      if (recipe === undefined) continue;
      const key = JSON.stringify(recipe);
      this.#wanted.set(key, recipe);
      const fd = this.#made.get(key);
      if (fd === undefined) continue;
      this.#made.delete(key);
      mount.treeFd = fd;
      mount.isFilled = recipe.use === 'dev';
    }
  }

  make(): void {
    for (const [key, fd] of this.#made)
      if (!this.#wanted.has(key)) {
        this.#made.delete(key);
        closeSync(fd);
      }
    try {
      for (const [key, recipe] of this.#wanted)
        if (!this.#made.has(key)) this.#made.set(key, makeOne(recipe));
    } catch {
      // The kernel is out of memory or files; the next container reports it if that still holds.
      this.#wanted = new Map();
    }
  }

  close(): void {
    this.#wanted = new Map();
    this.make();
  }
}

function recipeOf(
  mount: PlannedMount,
  planned: readonly PlannedMount[],
  groups: readonly string[],
): Recipe | undefined {
  const { destination, type, source, options } = mount;
  const { filesystem: parameters, set: attributes } = options;
  if (!isPlain(mount) || planned.filter((one) => one.destination === destination).length > 1)
    return undefined;
  const recipe = { type, source: source ?? type, parameters, attributes };
  if (type === 'cgroup' && groups.length > 0)
    return { ...recipe, use: 'groups', directories: groups };
  if (destination === '/dev/pts' && type === 'devpts')
    return { ...recipe, use: 'other', directories: [] };
  // Without a mode it would get that of the image's directory.
  if (type !== 'tmpfs' || !parameters.some(([name]) => name === 'mode')) return undefined;
  if (destination === '/dev/shm') return { ...recipe, use: 'other', directories: [] };
  const below = planned.map((one) => one.destination).filter((path) => path.startsWith('/dev/'));
  return destination === '/dev' && below.every((path) => usualBelowDev.has(path))
    ? { ...recipe, use: 'dev', directories: below.map((path) => posix.basename(path)) }
    : undefined;
}

function makeOne({ use, type, source, parameters, attributes, directories }: Recipe): number {
  if (use === 'groups') return newGroupTree(attributes, directories);
  const tree = newFilesystem(type, parameters, attributes, source);
  if (use === 'other') return tree;
  try {
    for (const name of directories) mkdirat(tree, name, 0o755);
    fillNewDev(tree);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}
