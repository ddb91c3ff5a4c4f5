/** Options and attributes of overlayfs (Documentation/filesystems/overlayfs.rst). */
import { accessSync, closeSync, constants, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from './libc.ts';
import type { FilesystemOption } from './mount.ts';
import { inUserNamespace } from './user-namespaces.ts';

/** Attributes `trusted.*` need root of the machine; without it overlayfs uses `user.*`. */
export const usesUserAttributes = inUserNamespace;

/** Options that keep whole files in the upper layer, for commit and diff, although many overlays share image layers. */
export const wholeFileOptions = (): FilesystemOption[] => [
  ['index', 'off'],
  // `userxattr` implies both and gives EINVAL when they are named (ovl_fs_params_verify, Linux 6.18).
  ...(usesUserAttributes()
    ? [['userxattr'] as const]
    : [['metacopy', 'off'] as const, ['redirect_dir', 'off'] as const]),
];

/** Options that mount `upper` over `lowers`, the topmost first, as in `lowerdir=`. */
export const writableLayers = (layers: {
  lowers: readonly string[];
  upper: string;
  work: string;
}): FilesystemOption[] => [
  ...layers.lowers.map((lower) => ['lowerdir+', lower] as const),
  ['upperdir', layers.upper],
  ['workdir', layers.work],
  ...wholeFileOptions(),
];

export const overlayAttribute = (name: 'opaque'): string =>
  `${usesUserAttributes() ? 'user' : 'trusted'}.overlay.${name}`;

/** Whether an attribute belongs to overlayfs, which gives it a meaning only at its place in the tree. */
export const isOverlayAttribute = (name: string): boolean =>
  name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');

/**
 * Mounts and returns the descriptor of a writable mount. When overlayfs cannot create a directory under `work`, as on
 * a full disk, it mounts read-only and reports that only in the kernel's log (ovl_make_workdir,
 * fs/overlayfs/super.c). Throws the cause, mostly ENOSPC or EDQUOT.
 */
export function mountWritable(mount: () => number, work: string): number {
  const fd = mount();
  if (!isReadOnly(fd)) return fd;
  closeSync(fd);
  const probe = join(work, 'probe');
  mkdirSync(probe);
  rmdirSync(probe);
  // The test directory could be created, so there is free space again.
  return mount();
}

function isReadOnly(fd: number): boolean {
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.W_OK);
    return false;
  } catch (error) {
    return hasErrno(error, 'EROFS');
  }
}
