/**
 * A layer with the mount points that a step's root lacks. The runtime would otherwise make them in the layer that the
 * step writes, where neither they nor changes of the directories around them belong: the step's result must not
 * tell that anything was mounted.
 */
import { closeSync, constants, fstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { copyDirectoryAttributes } from '../../kernel/copy-tree.ts';
import {
  AT_FDCWD,
  nameOfDescriptor,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  openInRootIfAny,
  readlinkat,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { openImageRoot } from '../files/container-root.ts';

export interface MountPoint {
  path: string;
  kind: 'directory' | 'file';
}

/** As many links as the kernel follows in one path (path_resolution(7)). */
const maxLinks = 40;

/**
 * Makes the layer at `directory`, to be stacked on `lowers`, the topmost of which comes first. Returns the mount points
 * that are new; with none and at least one layer below, no directory is made. What cannot be made, since a file is in
 * the way, is left to the runtime, which says so.
 */
export function makeMountPoints(
  lowers: readonly string[],
  points: readonly MountPoint[],
  directory: string,
): MountPoint[] {
  if (lowers.length === 0) {
    mkdirSync(directory, { mode: 0o755 });
    for (const point of points) makePoint(directory, point.path, point.kind);
    return [...points];
  }
  return withFd(openImageRoot({ lowers: [...lowers] }), (root) => {
    const missing = points
      .map((point) => ({ ...point, missing: missingPath(root, point.path, maxLinks) }))
      .filter((point) => point.missing !== undefined);
    if (missing.length === 0) return [];
    mkdirSync(directory, { mode: 0o755 });
    for (const point of missing) makePoint(directory, point.missing!, point.kind);
    const existing = new Set(missing.flatMap((point) => parentsOf(point.missing!)));
    // The deepest first, since making a directory changes its parent's times.
    for (const path of [...existing].toSorted((a, b) => b.length - a.length))
      takeAttributes(root, directory, path);
    return missing.map(({ path, kind }) => ({ path, kind }));
  });
}

function makePoint(layer: string, path: string, kind: MountPoint['kind']): void {
  const place = join(layer, path);
  const parent = kind === 'file' ? posix.dirname(place) : place;
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  if (kind === 'file') writeFileSync(place, '', { flag: 'a', mode: 0o644 });
}

/** The path without links that is to be made for `path`; undefined when there is something, or nothing can be. */
function missingPath(root: number, path: string, links: number): string | undefined {
  try {
    const there = openInRootIfAny(root, path, O_PATH);
    if (there !== undefined) {
      closeSync(there);
      return undefined;
    }
    const { dir, base } = posix.parse(posix.resolve('/', path));
    const parent = openInRootIfAny(root, dir, O_PATH | O_DIRECTORY);
    if (parent === undefined) {
      const above = missingPath(root, dir, links);
      return above && posix.join(above, base);
    }
    return withFd(parent, () => {
      const place = `/${posix.relative(nameOfDescriptor(root), nameOfDescriptor(parent))}`;
      const target = linkTarget(parent, base);
      if (target === undefined) return posix.join(place, base);
      return links === 0 ? undefined : missingPath(root, posix.resolve(place, target), links - 1);
    });
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** Of a link that leads nowhere; undefined when the name is free. */
function linkTarget(parent: number, name: string): string | undefined {
  const entry = openInRootIfAny(parent, name, O_PATH | O_NOFOLLOW);
  if (entry === undefined) return undefined;
  return withFd(entry, () =>
    fstatSync(entry).isSymbolicLink() ? readlinkat(entry, '') : undefined,
  );
}

function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Of the directory that the layer hides by its own; there is none when it is a new one too. */
function takeAttributes(root: number, layer: string, path: string): void {
  const flags = constants.O_RDONLY | O_DIRECTORY;
  const below = openInRootIfAny(root, path, flags);
  if (below === undefined) return;
  withFd(below, () =>
    withFd(openat2(AT_FDCWD, join(layer, path), flags, 0), (own) =>
      copyDirectoryAttributes(below, own),
    ),
  );
}
