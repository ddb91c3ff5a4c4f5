/**
 * A directory of the next container, with what it is to have, made in spare time under a name of its own: to move it
 * where it belongs takes a tenth of what it takes to make it. Whatever is wrong with it, the container's own is made instead.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdleQueue } from '../idle-queue.ts';
import {
  containerPaths,
  type EnginePaths,
  pooledDirectoryPath,
  pooledLayerPath,
} from '../paths.ts';
import {
  containerDirectories,
  type DirectorySpec,
  emptyFiles,
  layerDirectories,
  makeDirectory,
} from './container-directories.ts';

/** What each container has, whose files are empty. */
export const newContainerDirectoryPool = (paths: EnginePaths, idleQueue: IdleQueue) =>
  new DirectoryPool(
    pooledDirectoryPath(paths),
    containerDirectories(containerPaths(paths, 'next')),
    emptyFiles(containerPaths(paths, 'next')),
    idleQueue,
  );

/** A layer without a space of its own. */
export const newLayerDirectoryPool = (paths: EnginePaths, idleQueue: IdleQueue) =>
  new DirectoryPool(pooledLayerPath(paths), layerDirectories, [], idleQueue);

export class DirectoryPool {
  readonly #path: string;
  readonly #within: readonly DirectorySpec[];
  readonly #files: readonly string[];
  readonly #idleQueue: IdleQueue;
  #isThere = false;

  constructor(
    path: string,
    within: readonly DirectorySpec[],
    files: readonly string[],
    idleQueue: IdleQueue,
  ) {
    this.#path = path;
    this.#within = within;
    this.#files = files;
    this.#idleQueue = idleQueue;
    // Of an agent before, which may have been killed half-way.
    rmSync(this.#path, { recursive: true, force: true });
    this.#makeSoon();
  }

  /** Whether `directory` is there now, with all that it is to have. */
  takeAs(directory: string): boolean {
    this.#makeSoon();
    if (!this.#isThere) return false;
    this.#isThere = false;
    try {
      renameSync(this.#path, directory);
      return true;
    } catch {
      // Removed by hand, or the containers lie on another file system.
      return false;
    }
  }

  #makeSoon(): void {
    this.#idleQueue.add(`next ${this.#path}`, 'make a directory ahead', () => this.#make());
  }

  #make(): void {
    try {
      // One that could not be moved is still there.
      rmSync(this.#path, { recursive: true, force: true });
      makeDirectory(this.#path, this.#within);
      for (const name of this.#files) writeFileSync(join(this.#path, name), '');
      this.#isThere = true;
    } catch {
      // The disk is full, or the engine's own directory gone: the next create says so, if it is still the case.
    }
  }
}
