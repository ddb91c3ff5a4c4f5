/**
 * Copies a mount of another container, such as the `/dev/shm` that containers with one ipc
 * namespace share. The kernel copies a mount only inside the caller's mount namespace
 * (open_tree(2)), so the launcher enters that container's namespace. It executes and loads nothing
 * there.
 */
import { constants } from 'node:fs';
import { AT_FDCWD, O_PATH, openat2, openInRoot, withFd } from '../kernel/files.ts';
import { cloneMount } from '../kernel/mount.ts';
import { NamespaceFlag, openNamespace, setns } from '../kernel/namespaces.ts';
import { returnToHost } from './host-namespaces.ts';

/** `/proc/<pid>/root/<path>` names what that process sees at the path. */
const foreignPath = /^\/proc\/(\d+)\/root(\/.+)$/;

export function isForeignMount(source: string): boolean {
  return foreignPath.test(source);
}

/** A detached copy of the mount that process `pid` sees at the path. */
export function cloneForeignMount(source: string, recursive: boolean): number {
  const [, pid, path] = foreignPath.exec(source)!;
  return withFd(openNamespace(`/proc/${pid}/ns/mnt`), (namespaceFd) => {
    setns(namespaceFd, NamespaceFlag.mount, source);
    try {
      const rootFd = openat2(AT_FDCWD, '/', O_PATH | constants.O_DIRECTORY, 0);
      return withFd(rootFd, () =>
        withFd(openInRoot(rootFd, path!, O_PATH), (fd) => cloneMount(fd, recursive, source)),
      );
    } finally {
      returnToHost(NamespaceFlag.mount);
    }
  });
}
