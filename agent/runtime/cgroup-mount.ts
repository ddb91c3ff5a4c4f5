/** Mounts `/sys/fs/cgroup` of a container: its own cgroup, read-only (CVE-2022-0492). */
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
 * On v2 mounts the cgroup itself, on v1 a small tmpfs with one directory per hierarchy. A cgroup
 * that several controllers share (`cpu,cpuacct`) is mounted under each name.
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

/** The directories in the tmpfs for these cgroups. Empty where there is no tmpfs. */
export function groupNames(paths: ReadonlyMap<string, string>): string[] {
  const isAlone = paths.size === 1 && paths.has('');
  return isAlone ? [] : [...paths.keys()].map(nameOf);
}

function nameOf(controller: string): string {
  return controller === '' ? 'unified' : controller;
}

/** The tmpfs stays writable until the cgroups are mounted in it. */
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
