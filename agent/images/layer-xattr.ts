/** Decides which extended attributes of an archive a file gets. */
import { hasErrno } from '../kernel/libc.ts';
import { isOverlayAttribute } from '../kernel/overlay.ts';
import { setXattr } from '../kernel/xattr.ts';
import { LayerError } from './layer-error.ts';
import type { TarEntry } from './tar-reader.ts';

/** Sets the accepted attributes of the entry on the file. */
export function keepXattrs(fd: number, entry: TarEntry): void {
  for (const [name, value] of entry.xattrs) {
    if (!isAccepted(name, entry.name)) continue;
    try {
      setXattr(fd, name, value);
    } catch (error) {
      // The file system supports no such attributes; dockerd ignores that too.
      if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    }
  }
}

/**
 * File capabilities, `user.*` attributes and access lists are accepted. Attributes of overlayfs are refused: a
 * redirect or a metacopy in an archive would make the kernel show other files than were checked. The rest (SELinux,
 * IMA, other trusted.*) is ignored, since it applies only to the machine where it was set.
 */
function isAccepted(name: string, entryName: string): boolean {
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
