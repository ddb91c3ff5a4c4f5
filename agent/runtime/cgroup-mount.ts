/** `/sys/fs/cgroup` of a container: its own group, read-only (CVE-2022-0492). */
import { makeDirectoriesInRoot, openDirectory, withFd } from '../kernel/files.ts';
import {
  attachMount,
  changeMount,
  cloneMount,
  MountAttribute,
  newFilesystem,
  Propagation,
} from '../kernel/mount.ts';

/**
 * With v2 alone the group itself; with v1 a small tmpfs with one directory per hierarchy. A group
 * that lies in several hierarchies under one path (`cpu,cpuacct`) is mounted under each name.
 */
export function mountCgroups(
  targetFd: number,
  paths: ReadonlyMap<string, string>,
  attributes: number,
): void {
  const unified = paths.get('');
  if (unified !== undefined && paths.size === 1) {
    bindGroup(unified, targetFd, attributes);
    return;
  }
  const tree = newFilesystem('tmpfs', [['mode', '755']], attributes & ~MountAttribute.readOnly);
  withFd(tree, () => {
    attachMount(tree, targetFd, '/sys/fs/cgroup');
    for (const [controller, path] of paths) {
      const name = controller === '' ? 'unified' : controller;
      withFd(makeDirectoriesInRoot(tree, name), (target) => bindGroup(path, target, attributes));
    }
    changeMount(tree, { set: attributes }, '/sys/fs/cgroup');
  });
}

function bindGroup(path: string, targetFd: number, attributes: number): void {
  const tree = withFd(openDirectory(path), (fd) => cloneMount(fd, false, path));
  withFd(tree, () => {
    changeMount(tree, { set: attributes, propagation: Propagation.private }, path);
    attachMount(tree, targetFd, path);
  });
}
