/** `/sys/fs/cgroup` of a container: its own group, read-only (CVE-2022-0492). */
import { mkdirat, withFd } from '../kernel/files.ts';
import {
  attachMount,
  attachMountIn,
  changeMount,
  cloneMountAt,
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
    bindGroup(unified, attributes, (tree) => attachMount(tree, targetFd, unified));
    return;
  }
  const tree = newFilesystem('tmpfs', [['mode', '755']], attributes & ~MountAttribute.readOnly);
  withFd(tree, () => {
    attachMount(tree, targetFd, '/sys/fs/cgroup');
    for (const [controller, path] of paths) {
      const name = controller === '' ? 'unified' : controller;
      mkdirat(tree, name, 0o755);
      bindGroup(path, attributes, (group) => attachMountIn(group, tree, name));
    }
    changeMount(tree, { set: attributes }, '/sys/fs/cgroup');
  });
}

function bindGroup(path: string, attributes: number, attach: (tree: number) => void): void {
  withFd(cloneMountAt(path), (tree) => {
    changeMount(tree, { set: attributes, propagation: Propagation.private }, path);
    attach(tree);
  });
}
