/** `/sys/fs/cgroup` of a container: its own group, read-only (CVE-2022-0492). */
import { closeSync } from 'node:fs';
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
  treeFd: number | undefined,
): void {
  const unified = paths.get('');
  if (unified !== undefined && paths.size === 1)
    bindGroup(unified, attributes, (tree) => attachMount(tree, targetFd, unified));
  else if (treeFd !== undefined) mountEach(treeFd, targetFd, paths, attributes);
  else
    withFd(newGroupTree(attributes, groupNames(paths)), (tree) =>
      mountEach(tree, targetFd, paths, attributes),
    );
}

/** The directories that a tmpfs for these groups has; none where there is no tmpfs. */
export function groupNames(paths: ReadonlyMap<string, string>): string[] {
  const isAlone = paths.size === 1 && paths.has('');
  return isAlone ? [] : [...paths.keys()].map(nameOf);
}

function nameOf(controller: string): string {
  return controller === '' ? 'unified' : controller;
}

/** Writable until the groups are mounted in it. */
export function newGroupTree(attributes: number, names: readonly string[]): number {
  const tree = newFilesystem('tmpfs', [['mode', '755']], attributes & ~MountAttribute.readOnly);
  try {
    for (const name of names) mkdirat(tree, name, 0o755);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

function mountEach(
  tree: number,
  targetFd: number,
  paths: ReadonlyMap<string, string>,
  attributes: number,
): void {
  attachMount(tree, targetFd, '/sys/fs/cgroup');
  for (const [controller, path] of paths)
    bindGroup(path, attributes, (group) => attachMountIn(group, tree, nameOf(controller)));
  changeMount(tree, { set: attributes }, '/sys/fs/cgroup');
}

function bindGroup(path: string, attributes: number, attach: (tree: number) => void): void {
  withFd(cloneMountAt(path), (tree) => {
    changeMount(tree, { set: attributes, propagation: Propagation.private }, path);
    attach(tree);
  });
}
