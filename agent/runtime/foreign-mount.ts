/**
 * A mount of another container, such as its `/dev/shm`, which two containers that share an ipc
 * namespace share too. The kernel copies a mount only from the namespace the caller is in
 * (open_tree(2)), so the launcher goes there for it. It runs nothing and loads nothing there.
 */
import { constants } from 'node:fs';
import { AT_FDCWD, O_PATH, openat2, openInRoot, withFd } from '../kernel/files.ts';
import { cloneMount } from '../kernel/mount.ts';
import { NamespaceFlag, openNamespace, setns } from '../kernel/namespaces.ts';
import { returnToHost } from './host-namespaces.ts';

/** `/proc/<pid>/root/<path>`, which names what that process sees at the path. */
const foreignPath = /^\/proc\/(\d+)\/root(\/.+)$/;

export function isForeignMount(source: string): boolean {
  return foreignPath.test(source);
}

/** A detached copy of what process `pid` sees at the path. */
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
