/** What overlayfs writes beside files (Documentation/filesystems/overlayfs.rst). */
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

export const overlayAttribute = (name: 'opaque'): string =>
  `${usesUserAttributes() ? 'user' : 'trusted'}.overlay.${name}`;

/** Whether an attribute is overlayfs's own: it means something at its place in the tree only. */
export const isOverlayAttribute = (name: string): boolean =>
  name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
