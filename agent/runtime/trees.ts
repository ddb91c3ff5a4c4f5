/** Mounts of files and directories that lie in a file tree which only the container sees. */
import { closeSync } from 'node:fs';
import { posix } from 'node:path';
import { O_PATH, openDirectory, openInRoot, withFd } from '../kernel/files.ts';
import { attachMount, cloneMount } from '../kernel/mount.ts';
import { mountLayers } from './rootfs.ts';
import type { Tree } from './runtime.ts';

export class MountedTrees {
  readonly #trees: readonly Tree[];
  readonly #userNamespaceFd: number | undefined;
  readonly #mapped: Set<string>;
  readonly #attached = new Set<number>();

  /** `mapped`: layers on which an id-mapped copy is mounted already. */
  constructor(trees: readonly Tree[], userNamespaceFd: number | undefined, mapped: Set<string>) {
    this.#trees = trees;
    this.#userNamespaceFd = userNamespaceFd;
    this.#mapped = mapped;
  }

  /**
   * A detached mount of what tree number `index` shows. Called in the container's mount namespace: the kernel copies a
   * part of a tree only where the whole is attached (open_tree(2)).
   */
  open(index: number): number {
    const tree = this.#trees[index];
    if (tree === undefined) throw new Error(`there is no tree ${index}`);
    if (tree.kind === 'mount') {
      if (!this.#attached.has(tree.fd)) attachAt(tree.fd, tree.place);
      this.#attached.add(tree.fd);
      return partOf(tree.fd, tree.selector);
    }
    const whole = mountLayers(tree, this.#userNamespaceFd, this.#mapped);
    if (posix.resolve('/', tree.selector) === '/') return whole;
    try {
      attachAt(whole, tree.place);
      return partOf(whole, tree.selector);
    } finally {
      closeSync(whole);
    }
  }
}

function attachAt(treeFd: number, directory: string): void {
  withFd(openDirectory(directory), (target) => attachMount(treeFd, target, directory));
}

function partOf(treeFd: number, selector: string): number {
  return withFd(openInRoot(treeFd, selector, O_PATH), (fd) => cloneMount(fd, false, selector));
}
