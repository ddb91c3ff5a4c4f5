/** Mounts the container's root: an overlay of the image's layers, or a directory. */
import { closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CortenError } from '../errors.ts';
import { openDirectory, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  attachMount,
  changeMount,
  cloneMount,
  detachMount,
  mountInPlace,
  newFilesystem,
  Propagation,
} from '../kernel/mount.ts';
import { mountWritable, usesUserAttributes, writableLayers } from '../kernel/overlay.ts';
import type { Rootfs } from './runtime.ts';

/**
 * Mounts the root in the calling thread's private mount namespace and returns a descriptor of it.
 * The place does not matter, because pivot_root only requires it to be attached. With a user
 * namespace, layers keep the ids used inside on disk; a directory is used as it is (config.md,
 * "User namespace mappings").
 */
export function mountRootfs(rootfs: Rootfs, userNamespaceFd?: number): number {
  if (rootfs.kind === 'directory') return mountDirectory(rootfs.path);
  const { below } = rootfs;
  if (below !== undefined)
    withFd(openDirectory(below.directory), (target) =>
      attachMount(below.fd, target, below.directory),
    );
  if (userNamespaceFd !== undefined) mapLayers(rootfs, userNamespaceFd);
  return mountOverlay(rootfs);
}

/** A detached mount of `path` whose files carry the ids used inside the user namespace. */
export function cloneMapped(path: string, userNamespaceFd: number): number {
  const tree = withFd(openDirectory(path), (fd) => cloneMount(fd, false, path));
  try {
    mapIds(tree, path, userNamespaceFd, false);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

/** Throws unavailable, with what to do, when the file system supports no id-mapped mounts. */
export function mapIds(
  tree: number,
  path: string,
  userNamespaceFd: number,
  recursive: boolean,
): void {
  try {
    changeMount(tree, { userNamespaceFd, recursive }, path);
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EPERM'))
      throw new CortenError(
        'unavailable',
        `the file system at ${path} cannot map ids; keep it on one that can (ext4, XFS, btrfs), or run the container with --userns=host`,
        { cause: error },
      );
    throw error;
  }
}

/**
 * Mounts an id-mapped copy of every layer over the layer itself, in the container's own mount
 * namespace, so that the overlay finds them under the same paths. They go away with the old root.
 */
function mapLayers({ lowers, upper, work }: Overlay, userNamespaceFd: number): void {
  // Overlayfs needs upper and work on the same mount.
  const own = dirname(upper);
  if (dirname(work) !== own) throw new Error(`${upper} and ${work} lie in different directories`);
  for (const path of [...lowers, own])
    closeSync(attached(cloneMapped(path, userNamespaceFd), path));
}

type Overlay = Extract<Rootfs, { kind: 'overlay' }>;

function mountOverlay(overlay: Overlay): number {
  const mount = () => {
    try {
      return newFilesystem('overlay', writableLayers(overlay), 0, 'overlay');
    } catch (error) {
      // Kernels before 6.5 have no `lowerdir+`.
      if (hasErrno(error, 'EINVAL')) return mountOverlayInOneLine(overlay);
      throw error;
    }
  };
  return attached(mountWritable(mount, overlay.work), overlay.upper);
}

/** Makes the same detached overlay with mount(2), whose options must fit into one page. */
export function mountOverlayInOneLine({ lowers, upper, work }: Overlay): number {
  const escaped = lowers.map((lower) => lower.replace(/[\\:]/g, '\\$&')).join(':');
  const data = `lowerdir=${escaped},upperdir=${upper},workdir=${work},index=off${usesUserAttributes() ? ',userxattr' : ''}`;
  if (Buffer.byteLength(data) > 4095 || [...lowers, upper, work].some((path) => path.includes(',')))
    throw new CortenError(
      'internal',
      `this kernel cannot mount ${lowers.length} layers from these paths; Linux 6.5 or newer can`,
    );
  mountInPlace('overlay', upper, 'overlay', data);
  const tree = withFd(openDirectory(upper), (fd) => cloneMount(fd, false, upper));
  detachMount(upper);
  return tree;
}

function mountDirectory(path: string): number {
  const tree = withFd(openDirectory(path), (fd) => cloneMount(fd, true, path));
  changeMount(tree, { propagation: Propagation.private, recursive: true }, path);
  return attached(tree, path);
}

function attached(treeFd: number, path: string): number {
  try {
    withFd(openDirectory(path), (target) => attachMount(treeFd, target, path));
    return treeFd;
  } catch (error) {
    closeSync(treeFd);
    throw error;
  }
}
