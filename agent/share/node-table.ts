/**
 * The files that the kernel holds on to, by the numbers we gave them. A number is never given twice,
 * so generations stay 0. A node knows its names and not its path: moving a folder moves all below it.
 */
import { joinPath, Stat, statBytes } from '../contract/share-wire.ts';
import { FolderNames, mostNames } from './folder-names.ts';
import { rootNode } from './fuse-wire.ts';

export interface Link {
  folder: Node;
  name: string;
}

export interface Node {
  readonly id: number;
  /** The host's inode and its birth, which together are never another file's. */
  key: string;
  /** All names that are known; none when the last was removed and the file is still open. */
  links: Link[];
  /** How often the kernel was given this node; it says when it forgets. */
  lookups: number;
  /** As the host told last; its own memory. */
  stat: Buffer;
  /** By the table's clock: when the host was asked for it; -1 where it only told. */
  statAt: number;
  /** A folder that the host follows: no other names are in it. */
  names: FolderNames | undefined;
  children: Map<string, Node>;
  /** Open files of this node, by their handle. */
  handles: Set<number>;
  /** What came into a folder since the host was asked for its list. */
  namesSince: string[] | undefined;
  /** By the table's clock: when it, or for a folder something in it, was last known to change. */
  changedAt: number;
  /** Changes of content that the kernel has not been told yet: it may still have pages of the old one. */
  staleTells: number;
  /**
   * By the table's clock: when the kernel may have been left with attributes of before, 0 for never.
   * It goes by them, and sends only so much of a file (sendfile(2)), until it has asked for them again.
   */
  attributesLostAt: number;
  /** By the table's clock: when it was last opened for reading, which the host allowed. */
  readableAt: number;
  /** A folder: the host tells what changes in it. */
  isFollowed: boolean;
  /** A folder, by the table's clock: when the kernel was last told that it may keep what is in it. */
  cachedAt: number;
  /** By the table's clock: when the host was last told to leave a folder in it. */
  leftAt: number;
}

const typeMask = 0o170000;
const typeDirectory = 0o040000;

export const isDirectory = (stat: Buffer) =>
  (stat.readUInt32LE(Stat.mode) & typeMask) === typeDirectory;

export function keyOf(stat: Buffer): string {
  return stat.toString('latin1', 0, 8) + stat.toString('latin1', Stat.birth, Stat.birth + 8);
}

/** Size and time of change: what else may differ does not concern cached pages. */
export function isSameContent(known: Buffer, stat: Buffer): boolean {
  return (
    known.readBigUInt64LE(Stat.size) === stat.readBigUInt64LE(Stat.size) &&
    known.readBigUInt64LE(Stat.modified) === stat.readBigUInt64LE(Stat.modified) &&
    known.readUInt32LE(Stat.modifiedNanos) === stat.readUInt32LE(Stat.modifiedNanos)
  );
}

export interface KeptNode {
  stat: Buffer;
  lookups: number;
  children: Map<string, number>;
}

/** What an earlier agent knew. */
export interface KeptTable {
  nodes: Map<number, KeptNode>;
  lastNode: number;
}

/** Hears of all that another agent would have to know of the table. */
export interface NodeLog {
  made(node: Node): void;
  linked(node: Node, folder: Node, name: string): void;
  unlinked(folder: Node, name: string): void;
  /** The kernel has it as often as it says now. */
  counted(node: Node): void;
  dropped(node: Node): void;
}

export class NodeTable {
  readonly root: Node;
  #log: NodeLog | undefined;
  readonly #byId = new Map<number, Node>();
  readonly #byKey = new Map<string, Node>();
  #lastId = rootNode;
  #clock = 0;

  constructor(rootStat: Buffer, log?: NodeLog) {
    this.#log = log;
    this.root = this.#make(rootNode, rootStat);
    this.root.lookups = 1;
  }

  /** What an earlier agent knew, with the attributes that name a file and say what it is. */
  static restored(kept: KeptTable, log: NodeLog): NodeTable {
    const { nodes, lastNode } = kept;
    const root = nodes.get(rootNode);
    const table = new NodeTable(root === undefined ? Buffer.alloc(statBytes) : root.stat);
    for (const [id, { stat, lookups }] of nodes)
      if (id !== rootNode) table.#make(id, stat).lookups = lookups;
    for (const [id, { children }] of nodes)
      for (const [name, child] of children) {
        const [folder, node] = [table.get(id), table.get(child)];
        if (folder !== undefined && node !== undefined) table.#attach(node, folder, name);
      }
    // Its number may be another file's on the host by now.
    for (const node of table.#byId.values())
      if (node !== table.root && node.links.length === 0) table.#byKey.delete(node.key);
    table.#lastId = lastNode;
    table.#log = log;
    return table;
  }

  get size(): number {
    return this.#byId.size;
  }

  recordAll(): void {
    const log = this.#log;
    if (log === undefined) return;
    for (const node of this.#byId.values()) log.made(node);
    for (const node of this.#byId.values()) {
      for (const { folder, name } of node.links) log.linked(node, folder, name);
      if (node.lookups > 0) log.counted(node);
    }
  }

  get lastId(): number {
    return this.#lastId;
  }

  get clock(): number {
    return this.#clock;
  }

  /** What was learned of it before, and of its folder's list, may not be true any more. */
  touch(node: Node): void {
    node.changedAt = ++this.#clock;
    for (const { folder } of node.links) folder.changedAt = this.#clock;
  }

  get(id: number): Node | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Node> {
    return this.#byId.values();
  }

  /** The paths of all folders. */
  *folders(): Generator<string> {
    for (const node of this.#byId.values()) {
      const path = isDirectory(node.stat) ? this.pathOf(node) : undefined;
      if (path !== undefined) yield path;
    }
  }

  /** The file of these attributes, whatever its names. */
  known(stat: Buffer): Node | undefined {
    return this.#byKey.get(keyOf(stat));
  }

  find(folder: Node, name: string): Node | undefined {
    return folder.children.get(name);
  }

  /** The node at a path, if all of the way to it is known. */
  at(path: string): Node | undefined {
    return this.way(path)?.at(-1);
  }

  /** All nodes from the root to the one at a path, if they are known. */
  way(path: string): Node[] | undefined {
    const way = [this.root];
    for (const name of path === '' ? [] : path.split('/')) {
      const next = way.at(-1)!.children.get(name);
      if (next === undefined) return undefined;
      way.push(next);
    }
    return way;
  }

  /** Undefined for a file whose last name is gone. */
  pathOf(node: Node): string | undefined {
    let path = '';
    for (let at = node; at !== this.root; ) {
      const [link] = at.links;
      if (link === undefined) return undefined;
      path = path === '' ? link.name : joinPath(link.name, path);
      at = link.folder;
    }
    return path;
  }

  /** Learns that the host has this file at this name. `stat` is kept. */
  enter(folder: Node, name: string, stat: Buffer): Node {
    const key = keyOf(stat);
    const known = folder.children.get(name);
    if (known !== undefined && known.key !== key) this.remove(folder, name);
    let node = this.#byKey.get(key);
    if (node === undefined) node = this.#make(++this.#lastId, stat);
    else node.stat = stat;
    if (folder.children.get(name) === node) return node;
    // A file with one name that shows under another was moved on the host.
    if (stat.readUInt32LE(Stat.links) <= 1 || isDirectory(stat))
      for (const link of [...node.links]) this.remove(link.folder, link.name);
    this.#attach(node, folder, name);
    return node;
  }

  /** The name is gone; the node stays as long as the kernel holds it. */
  remove(folder: Node, name: string): void {
    folder.changedAt = ++this.#clock;
    const node = folder.children.get(name);
    if (node === undefined) return;
    this.#detach(node, folder, name);
    // Its inode may become another file's as soon as the last name has gone.
    if (node.links.length === 0 && this.#byKey.get(node.key) === node) this.#byKey.delete(node.key);
    this.#dropIfUnused(node);
    this.#dropIfUnused(folder);
  }

  /** The folder may have this name from now on. */
  noteName(folder: Node, name: string): void {
    folder.names?.add(name);
    if (folder.namesSince?.push(name) === mostNames) folder.namesSince = undefined;
  }

  /** The host is asked for a folder's list. */
  beginList(folder: Node): void {
    if (folder.names === undefined) folder.namesSince ??= [];
  }

  /** It had these names when it was asked, and follows the folder. */
  learnNames(folder: Node, names: readonly string[]): void {
    if (folder.namesSince === undefined) return;
    folder.names = new FolderNames([...names, ...folder.namesSince]);
    folder.namesSince = undefined;
  }

  /** `askedAt`: by the clock, so that a change since then makes it worth nothing. */
  learn(node: Node, stat: Buffer, askedAt: number): void {
    if (askedAt < node.changedAt) return;
    node.stat = stat;
    node.statAt = askedAt;
  }

  /** The kernel may have missed what became of its attributes. */
  loseAttributes(node: Node): void {
    this.loseNames(node);
    node.attributesLostAt = this.#clock;
  }

  /** There may be others in it than are known. */
  loseNames(folder: Node): void {
    this.touch(folder);
    folder.names = undefined;
    folder.namesSince = undefined;
  }

  /** The host follows a folder of this one no longer: what it answered before does not count. */
  leave(folder: Node): void {
    folder.leftAt = ++this.#clock;
  }

  move(from: Node, name: string, to: Node, newName: string): void {
    const node = from.children.get(name);
    if (to.children.get(newName) !== node) this.remove(to, newName);
    if (node === undefined || (from === to && name === newName)) return;
    this.#attach(node, to, newName);
    this.remove(from, name);
  }

  exchange(from: Node, name: string, to: Node, newName: string): void {
    from.changedAt = to.changedAt = ++this.#clock;
    const [first, second] = [from.children.get(name), to.children.get(newName)];
    if (first !== undefined) this.#detach(first, from, name);
    if (second !== undefined) this.#detach(second, to, newName);
    if (first !== undefined) this.#attach(first, to, newName);
    if (second !== undefined) this.#attach(second, from, name);
  }

  /** The kernel gets it once more. */
  give(node: Node): void {
    node.lookups++;
    this.#log?.counted(node);
  }

  /** True when nothing is left of it here. */
  forget(id: number, lookups: number): boolean {
    const node = this.#byId.get(id);
    if (node === undefined || node === this.root) return false;
    node.lookups = Math.max(0, node.lookups - lookups);
    if (this.#dropIfUnused(node)) return true;
    if (lookups > 0) this.#log?.counted(node);
    return false;
  }

  #make(id: number, stat: Buffer): Node {
    const node: Node = {
      id,
      key: keyOf(stat),
      links: [],
      lookups: 0,
      stat,
      statAt: -1,
      names: undefined,
      namesSince: undefined,
      children: new Map(),
      handles: new Set(),
      changedAt: 0,
      staleTells: 0,
      attributesLostAt: 0,
      readableAt: -1,
      isFollowed: false,
      cachedAt: -1,
      leftAt: -1,
    };
    this.#byId.set(id, node);
    this.#byKey.set(node.key, node);
    this.#log?.made(node);
    return node;
  }

  #attach(node: Node, folder: Node, name: string): void {
    this.noteName(folder, name);
    folder.children.set(name, node);
    node.links.push({ folder, name });
    this.#byKey.set(node.key, node);
    this.#log?.linked(node, folder, name);
  }

  #detach(node: Node, folder: Node, name: string): void {
    folder.children.delete(name);
    node.links = node.links.filter((link) => link.folder !== folder || link.name !== name);
    this.#log?.unlinked(folder, name);
  }

  /** A folder also stays for those below it: their paths lead through it. */
  #dropIfUnused(node: Node): boolean {
    if (node === this.root || node.lookups > 0 || node.children.size > 0) return false;
    if (node.handles.size > 0) return false;
    this.#byId.delete(node.id);
    if (this.#byKey.get(node.key) === node) this.#byKey.delete(node.key);
    this.#log?.dropped(node);
    const { links } = node;
    node.links = [];
    for (const { folder, name } of links) {
      folder.children.delete(name);
      this.#dropIfUnused(folder);
    }
    return true;
  }
}
