/**
 * A directory of the next container, with what it is to have, made in spare time under a name of its own: to move it
 * where it belongs takes a tenth of what it takes to make it. Whatever is wrong with it, the container's own is made instead.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerPaths, type EnginePaths, nextDirectory, nextLayer } from '../paths.ts';
import type { SpareTime } from '../spare-time.ts';
import {
  layerDirectories,
  makeDirectory,
  type OwnDirectory,
  ownDirectories,
  ownFiles,
} from './own-directories.ts';

/** What each container has, whose files are empty. */
export const nextContainer = (paths: EnginePaths, spareTime: SpareTime) =>
  new NextDirectory(
    nextDirectory(paths),
    ownDirectories(containerPaths(paths, 'next')),
    ownFiles(containerPaths(paths, 'next')),
    spareTime,
  );

/** A layer without a space of its own. */
export const nextContainerLayer = (paths: EnginePaths, spareTime: SpareTime) =>
  new NextDirectory(nextLayer(paths), layerDirectories, [], spareTime);

export class NextDirectory {
  readonly #path: string;
  readonly #within: readonly OwnDirectory[];
  readonly #files: readonly string[];
  readonly #spareTime: SpareTime;
  #isThere = false;

  constructor(
    path: string,
    within: readonly OwnDirectory[],
    files: readonly string[],
    spareTime: SpareTime,
  ) {
    this.#path = path;
    this.#within = within;
    this.#files = files;
    this.#spareTime = spareTime;
    // Of an agent before, which may have been killed half-way.
    rmSync(this.#path, { recursive: true, force: true });
    this.#makeSoon();
  }

  /** Whether `directory` is there now, with all that it is to have. */
  moveTo(directory: string): boolean {
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
    this.#spareTime.putOff(`next ${this.#path}`, 'make a directory ahead', () => this.#make());
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
