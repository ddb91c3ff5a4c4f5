/**
 * What a container has mounted on `/dev`, `/dev/pts` and `/dev/shm`, and what its groups of v1 are mounted in, made ahead
 * while nobody waits: empty file systems that show none of its namespaces, the first with the nodes and links that every
 * container has. Each is used once, by one container; they are made as the one before had them, since most are started
 * alike.
 */
import { closeSync } from 'node:fs';
import { posix } from 'node:path';
import { mkdirat } from '../kernel/files.ts';
import { type FilesystemOption, newFilesystem } from '../kernel/mount.ts';
import { groupNames, newGroupTree } from './cgroup-mount.ts';
import { fillNewDev } from './devices.ts';
import { isPlain, type PlannedMount } from './mounts.ts';

/** Nothing else may be mounted below `/dev`: what is to be made there depends on it. */
const usualBelowDev = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue']);

interface Recipe {
  use: 'dev' | 'groups' | 'other';
  type: string;
  source: string;
  parameters: readonly FilesystemOption[];
  attributes: number;
  /** Those that others are mounted on. */
  directories: readonly string[];
}

export class MountPool {
  /** By what they are made from. */
  #wanted = new Map<string, Recipe>();
  readonly #made = new Map<string, number>();

  /** Hands over what is there and just as planned. */
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
      // No memory, or no file: the next container says so, if it is still the case.
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
  // Without a mode it would depend on the image.
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
