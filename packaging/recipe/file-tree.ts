/**
 * A root file system in memory. Everything belongs to root and nothing has a time of its own, so
 * what is written from a tree depends on its content alone, whoever builds it and wherever.
 */
import { posix } from 'node:path';

export type Entry =
  | { type: 'file'; mode: number; content: Buffer }
  | { type: 'directory'; mode: number }
  | { type: 'link'; target: string }
  | { type: 'device'; mode: number; major: number; minor: number };

export class FileTree {
  readonly #entries = new Map<string, Entry>();

  file(path: string, content: Buffer | string, mode = 0o644): void {
    this.#add(path, { type: 'file', mode, content: Buffer.from(content) });
  }

  directory(path: string, mode = 0o755): void {
    this.#add(path, { type: 'directory', mode });
  }

  link(path: string, target: string): void {
    this.#add(path, { type: 'link', target });
  }

  /** A character device (mknod(2)). */
  device(path: string, major: number, minor: number, mode = 0o600): void {
    this.#add(path, { type: 'device', mode, major, minor });
  }

  get(path: string): Entry | undefined {
    return this.#entries.get(this.#resolved(path));
  }

  remove(path: string): void {
    this.#entries.delete(path);
  }

  /** Sorted by path, so that parents come before what lies in them. */
  entries(): [string, Entry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #add(path: string, entry: Entry): void {
    const place = this.#resolved(path);
    const parent = posix.dirname(place);
    if (parent !== '.' && this.#entries.get(parent) === undefined) this.directory(parent);
    const there = this.#entries.get(place);
    // Packages share directories, and the first to name one is base-files' stand-in in root.ts.
    if (there?.type === 'directory' && entry.type === 'directory') return;
    if (there !== undefined && there.type !== entry.type)
      throw new Error(`${place} is a ${there.type} and cannot become a ${entry.type}`);
    this.#entries.set(place, entry);
  }

  /** The path with the links in its directories followed: packages still say /lib and /sbin. */
  #resolved(path: string): string {
    const parts = posix.normalize(path).split('/').filter(Boolean);
    let place = '';
    for (const [index, part] of parts.entries()) {
      place = place === '' ? part : `${place}/${part}`;
      const entry = this.#entries.get(place);
      if (entry?.type === 'link' && index < parts.length - 1)
        place = posix.join(posix.dirname(place), entry.target);
    }
    return place;
  }
}

export function contentOf(tree: FileTree, path: string): Buffer {
  const entry = tree.get(path);
  if (entry?.type !== 'file') throw new Error(`there is no file ${path}`);
  return entry.content;
}
