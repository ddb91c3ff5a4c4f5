/** Which extended attributes of an archive are taken over. */
import { hasErrno } from '../kernel/libc.ts';
import { isOverlayAttribute } from '../kernel/overlay.ts';
import { setXattr } from '../kernel/xattr.ts';
import { LayerError } from './layer-error.ts';
import type { TarEntry } from './tar-reader.ts';

/** Gives the file those of its entry that are taken over. */
export function keepXattrs(fd: number, entry: TarEntry): void {
  for (const [name, value] of entry.xattrs) {
    if (!isTakenOver(name, entry.name)) continue;
    try {
      setXattr(fd, name, value);
    } catch (error) {
      // The filesystem there keeps no such attributes; dockerd goes on without them too.
      if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    }
  }
}

/**
 * File capabilities, the user's own attributes and access lists are. Overlayfs's marks are refused:
 * a redirect or a metacopy in an archive would have the kernel show other files than were checked.
 * The rest (SELinux, IMA, other trusted.*) means something only on the machine it comes from.
 */
function isTakenOver(name: string, entryName: string): boolean {
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
