/** What overlayfs writes beside files (Documentation/filesystems/overlayfs.rst). */
import { inUserNamespace } from './user-namespaces.ts';

/** Attributes of `trusted.` are the machine's root's; without it overlayfs keeps its own in `user.`. */
export const usesUserAttributes = inUserNamespace;

export const overlayAttribute = (name: 'opaque'): string =>
  `${usesUserAttributes() ? 'user' : 'trusted'}.overlay.${name}`;

/** Whether an attribute is overlayfs's own: it means something at its place in the tree only. */
export const isOverlayAttribute = (name: string): boolean =>
  name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
