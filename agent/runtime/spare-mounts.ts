/**
 * What a container has mounted on `/dev`, `/dev/pts` and `/dev/shm`, made ahead while nobody waits: empty file systems
 * that show none of its namespaces, the first with the nodes and links that every container has. Each is used once, by one
 * container; they are made as the one before had them, since most are started alike.
 */
import { closeSync } from 'node:fs';
import { posix } from 'node:path';
import { mkdirat } from '../kernel/files.ts';
import { type FilesystemOption, newFilesystem } from '../kernel/mount.ts';
import { fillNewDev } from './devices.ts';
import type { PlannedMount } from './mounts.ts';

/** Nothing else may be mounted below `/dev`: what is to be made there depends on it. */
const usualBelowDev = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue']);

interface Recipe {
  type: string;
  source: string;
  parameters: readonly FilesystemOption[];
  attributes: number;
  /** Of `/dev`: the directories that others are mounted on. */
  directories: readonly string[] | undefined;
}

export class SpareMounts {
  /** By what they are made from. */
  #wanted = new Map<string, Recipe>();
  readonly #made = new Map<string, number>();

  /** Hands over what is there and just as planned. */
  give(planned: readonly PlannedMount[]): void {
    this.#wanted = new Map();
    for (const mount of planned) {
      const recipe = recipeOf(mount, planned);
      if (recipe === undefined) continue;
      const key = JSON.stringify(recipe);
      this.#wanted.set(key, recipe);
      const fd = this.#made.get(key);
      if (fd === undefined) continue;
      this.#made.delete(key);
      mount.treeFd = fd;
      mount.isFilled = recipe.directories !== undefined;
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

function recipeOf(mount: PlannedMount, planned: readonly PlannedMount[]): Recipe | undefined {
  const { destination, type, source, options } = mount;
  const { filesystem: parameters, set: attributes } = options;
  const isPlain =
    !options.copyUp &&
    options.propagation === undefined &&
    options.recursiveSet === 0 &&
    options.recursiveClear === 0;
  // Without a mode it would depend on the image.
  const isTmpfs = type === 'tmpfs' && parameters.some(([name]) => name === 'mode');
  if (!isPlain || planned.filter((one) => one.destination === destination).length > 1)
    return undefined;
  const recipe = { type, source: source ?? type, parameters, attributes, directories: undefined };
  if (destination === '/dev/pts' && type === 'devpts') return recipe;
  if (destination === '/dev/shm' && isTmpfs) return recipe;
  if (destination !== '/dev' || !isTmpfs) return undefined;
  const below = planned.map((one) => one.destination).filter((path) => path.startsWith('/dev/'));
  return below.every((path) => usualBelowDev.has(path))
    ? { ...recipe, directories: below.map((path) => posix.basename(path)) }
    : undefined;
}

function makeOne({ type, source, parameters, attributes, directories }: Recipe): number {
  const tree = newFilesystem(type, parameters, attributes, source);
  if (directories === undefined) return tree;
  try {
    for (const name of directories) mkdirat(tree, name, 0o755);
    fillNewDev(tree);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}
