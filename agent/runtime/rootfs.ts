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
  MountAttribute,
  mountInPlace,
  newFilesystem,
  Propagation,
} from '../kernel/mount.ts';
import {
  mountWritable,
  usesUserAttributes,
  wholeFileOptions,
  writableLayers,
} from '../kernel/overlay.ts';
import type { Rootfs, Tree } from './runtime.ts';

/**
 * Mounts the root in the calling thread's private mount namespace and returns a descriptor of it.
 * The place does not matter, because pivot_root only requires it to be attached. With a user
 * namespace, layers keep the ids used inside on disk; a directory is used as it is (config.md,
 * "User namespace mappings").
 */
export function mountRootfs(
  rootfs: Rootfs,
  userNamespaceFd?: number,
  mapped = new Set<string>(),
): number {
  if (rootfs.kind === 'directory') return mountDirectory(rootfs.path);
  const { below } = rootfs;
  if (below !== undefined)
    withFd(openDirectory(below.directory), (target) =>
      attachMount(below.fd, target, below.directory),
    );
  if (userNamespaceFd !== undefined) mapLayers(rootfs, userNamespaceFd, mapped);
  return attached(mountOverlay(rootfs), rootfs.upper);
}

/** A detached overlay of layers, read-only without `upper`. Otherwise like {@link mountRootfs}. */
export function mountLayers(
  { lowers, upper, work }: Extract<Tree, { kind: 'layers' }>,
  userNamespaceFd: number | undefined,
  mapped: Set<string>,
): number {
  const isWritable = upper !== undefined && work !== undefined;
  const layers = { lowers: [...lowers], ...(isWritable && { upper, work }) };
  if (userNamespaceFd !== undefined) mapLayers(layers, userNamespaceFd, mapped);
  if (isWritable) return mountOverlay({ lowers: layers.lowers, upper, work });
  const options = layers.lowers.map((lower) => ['lowerdir+', lower] as const);
  return newFilesystem(
    'overlay',
    [...options, ...wholeFileOptions()],
    MountAttribute.readOnly,
    'overlay',
  );
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
function mapLayers(
  { lowers, upper, work }: Pick<Overlay, 'lowers'> & Partial<Overlay>,
  userNamespaceFd: number,
  mapped: Set<string>,
): void {
  // Overlayfs needs upper and work on the same mount.
  const own = upper === undefined ? [] : [dirname(upper)];
  if (upper !== undefined && (work === undefined || dirname(work) !== own[0]))
    throw new Error(`${upper} and ${work} lie in different directories`);
  for (const path of [...lowers, ...own]) {
    // A mount that has an id map takes no other, and neither do copies of it.
    if (mapped.has(path)) continue;
    mapped.add(path);
    closeSync(attached(cloneMapped(path, userNamespaceFd), path));
  }
}

type Overlay = Omit<Extract<Rootfs, { kind: 'overlay' }>, 'kind' | 'below'>;

function mountOverlay(overlay: Overlay): number {
  const mount = () => {
    try {
      const options = [
        ...writableLayers(overlay),
        ...(overlay.volatile ? [['volatile'] as const] : []),
      ];
      return newFilesystem('overlay', options, 0, 'overlay');
    } catch (error) {
      // Kernels before 6.5 have no `lowerdir+`.
      if (hasErrno(error, 'EINVAL')) return mountOverlayInOneLine(overlay);
      throw error;
    }
  };
  return mountWritable(mount, overlay.work);
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
