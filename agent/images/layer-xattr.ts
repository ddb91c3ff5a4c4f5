/** Which extended attributes of an archive are taken over. */
import { isOverlayAttribute } from '../kernel/overlay.ts';
import { LayerError } from './layer-error.ts';

/**
 * File capabilities, the user's own attributes and access lists are. Overlayfs's marks are refused:
 * a redirect or a metacopy in an archive would have the kernel show other files than were checked.
 * The rest (SELinux, IMA, other trusted.*) means something only on the machine it comes from.
 */
export function keepsXattr(name: string, entryName: string): boolean {
  if (isOverlayAttribute(name))
    throw new LayerError(
      `the attribute ${name} belongs to overlayfs and not into an image`,
      entryName,
    );
  return (
    name === 'security.capability' ||
    name.startsWith('user.') ||
    name.startsWith('system.posix_acl_')
  );
}
