/**
 * The next container's directories, and empty files for what is mounted over the image's, made in spare time under a
 * name of their own: to move them where they belong takes a tenth of what it takes to make them. Whatever is wrong with
 * them, the container's own are made instead.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { containerPaths, type EnginePaths, nextDirectory } from '../paths.ts';
import type { SpareTime } from '../spare-time.ts';
import {
  layerDirectories,
  makeWithin,
  type OwnDirectory,
  ownDirectories,
  ownMode,
} from './own-directories.ts';

export class NextDirectory {
  readonly #path: string;
  readonly #within: readonly OwnDirectory[];
  readonly #files: readonly string[];
  readonly #spareTime: SpareTime;
  #isThere = false;

  constructor(paths: EnginePaths, spareTime: SpareTime) {
    this.#path = nextDirectory(paths);
    const next = containerPaths(paths, 'next');
    const { hosts, hostname, resolvConf } = next.files;
    this.#files = [hosts, hostname, resolvConf].map((path) => relative(next.directory, path));
    // With those of a layer without a space of its own.
    this.#within = [...layerDirectories, ...ownDirectories(next)];
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
    this.#spareTime.putOff('next directory', 'make a directory ahead', () => this.#make());
  }

  #make(): void {
    try {
      // One that could not be moved is still there.
      rmSync(this.#path, { recursive: true, force: true });
      mkdirSync(this.#path, { mode: ownMode });
      makeWithin(this.#path, this.#within);
      for (const name of this.#files) writeFileSync(join(this.#path, name), '');
      this.#isThere = true;
    } catch {
      // The disk is full, or the engine's own directory gone: the next create says so, if it is still the case.
    }
  }
}
