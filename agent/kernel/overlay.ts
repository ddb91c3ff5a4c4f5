/** What overlayfs writes beside files (Documentation/filesystems/overlayfs.rst). */
import { accessSync, closeSync, constants, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from './libc.ts';
import type { FilesystemOption } from './mount.ts';
import { inUserNamespace } from './user-namespaces.ts';

/** Attributes of `trusted.` are the machine's root's; without it overlayfs keeps its own in `user.`. */
export const usesUserAttributes = inUserNamespace;

/** Image layers are shared by many overlays, and upper must hold whole files for commit and diff. */
export const wholeFileOptions = (): FilesystemOption[] => [
  ['index', 'off'],
  // `userxattr` has both off, and EINVAL for who says so (ovl_fs_params_verify, Linux 6.18).
  ...(usesUserAttributes()
    ? [['userxattr'] as const]
    : [['metacopy', 'off'] as const, ['redirect_dir', 'off'] as const]),
];

/** What mounts `upper` over `lowers`, of which the topmost comes first, as in `lowerdir=`. */
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

/** Whether an attribute is overlayfs's own: it means something at its place in the tree only. */
export const isOverlayAttribute = (name: string): boolean =>
  name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');

/**
 * A descriptor of what `mount` mounts, which can be written. Overlayfs that cannot make a directory under `work`, such as
 * on a full disk, mounts read-only and tells the kernel's log alone (ovl_make_workdir, fs/overlayfs/super.c). Throws
 * what is in its way, ENOSPC or EDQUOT mostly.
 */
export function mountWritable(mount: () => number, work: string): number {
  const fd = mount();
  if (!isReadOnly(fd)) return fd;
  closeSync(fd);
  const probe = join(work, 'probe');
  mkdirSync(probe);
  rmdirSync(probe);
  // There is room again.
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
