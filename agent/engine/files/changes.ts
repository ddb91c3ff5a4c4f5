/**
 * `docker diff`: compares the container's writable layer with its image. In an overlay's upper
 * directory a character device 0:0 hides the entry below, and a directory with
 * `trusted.overlay.opaque` hides everything in the lower one (kernel, overlayfs.rst).
 */

import { type BigIntStats, closeSync, constants, fstatSync } from 'node:fs';
import type { ContainersBackend } from '../../api/containers/backend.ts';
import {
  type FileName,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  openDirectory,
  Resolve,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { overlayAttribute } from '../../kernel/overlay.ts';
import { namesIn } from '../../kernel/remove-tree.ts';
import { getXattr } from '../../kernel/xattr.ts';
import type { ContainerRoot } from './container-files.ts';
import { openImageRoot } from './container-root.ts';
import { runtimeFiles } from './runtime-files.ts';

type Change = Awaited<ReturnType<ContainersBackend['changes']>>[number];

export async function changes(root: ContainerRoot): Promise<Change[]> {
  const ours = new Set([...runtimeFiles, ...root.mounts.map(({ target }) => target)]);
  const found: Change[] = [];
  withFd(openImageRoot(root.rootfs), (image) =>
    withFd(openDirectory(root.rootfs.upper), (upper) => compare(upper, image, '', ours, found)),
  );
  return withoutEmptyParents(found, ours);
}

/** Compares one directory. `lower` is undefined where the image has none. */
function compare(
  upper: number,
  lower: number | undefined,
  path: string,
  ours: ReadonlySet<string>,
  found: Change[],
): void {
  const opaque = lower !== undefined && getXattr(upper, overlayAttribute('opaque'))?.[0] === 0x79;
  const names = readNames(upper);
  if (opaque) addHidden(lower, new Set(names.map(String)), path, found);
  for (const name of names) {
    const child = `${path}/${name}`;
    withFd(openat2(upper, name, O_PATH | O_NOFOLLOW, Resolve.beneath), (entry) => {
      const below = lower === undefined ? undefined : openBelow(lower, name);
      try {
        compareEntry(entry, opaque ? undefined : below, below !== undefined, child, ours, found);
      } finally {
        if (below !== undefined) closeSync(below);
      }
    });
  }
}

function compareEntry(
  entry: number,
  below: number | undefined,
  wasThere: boolean,
  path: string,
  ours: ReadonlySet<string>,
  found: Change[],
): void {
  const stat = fstatSync(entry, { bigint: true });
  if (stat.isCharacterDevice() && stat.rdev === 0n) {
    if (wasThere) found.push({ path, kind: 'deleted' });
    return;
  }
  if (!wasThere && ours.has(path)) return;
  const before = below === undefined ? undefined : fstatSync(below, { bigint: true });
  const start = found.length;
  if (stat.isDirectory()) {
    const lower = before?.isDirectory() ? below : undefined;
    compare(entry, lower, path, ours, found);
    // Overlayfs copies a directory up when something is written in it. The copy itself is no
    // change.
    if (before !== undefined && found.length === start && sameDirectory(stat, before)) return;
  }
  found.splice(start, 0, { path, kind: wasThere ? 'modified' : 'added' });
}

/** Adds every entry of the image's directory that its replacement lacks. */
function addHidden(lower: number, kept: ReadonlySet<string>, path: string, found: Change[]): void {
  for (const name of readNames(lower))
    if (!kept.has(String(name))) found.push({ path: `${path}/${name}`, kind: 'deleted' });
}

/** Drops directories that the runtime made only to hold a mount target. */
function withoutEmptyParents(found: readonly Change[], ours: ReadonlySet<string>): Change[] {
  const holdsTarget = (path: string) => [...ours].some((target) => target.startsWith(`${path}/`));
  return found.filter(
    ({ path, kind }) =>
      kind !== 'added' ||
      !holdsTarget(path) ||
      found.some((other) => other.path.startsWith(`${path}/`)),
  );
}

function sameDirectory(one: BigIntStats, other: BigIntStats): boolean {
  return (
    other.isDirectory() &&
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    one.mtimeNs === other.mtimeNs
  );
}

function openBelow(lower: number, name: FileName): number | undefined {
  try {
    return openat2(lower, name, O_PATH | O_NOFOLLOW, Resolve.beneath);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

const readNames = (directoryFd: number): FileName[] =>
  withFd(openat2(directoryFd, '.', constants.O_RDONLY | O_DIRECTORY, oneName), namesIn);
