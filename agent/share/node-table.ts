/**
 * Table of the files that the kernel knows, by node number. Numbers are never reused, so generations stay 0. A node
 * has names and no path, so that moving a folder moves everything below it.
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
  /** The host's inode number and birth time, which together identify a file for good. */
  key: string;
  /** All known names; none when the last was removed while the file is open. */
  links: Link[];
  /** Lookup count: how often the kernel got this node, until it forgets it. */
  lookups: number;
  /** Latest attributes from the host, in memory of its own. */
  stat: Buffer;
  /** Time at which the attributes were requested (table's clock); -1 when the host sent them unasked. */
  statAt: number;
  /** Names of a folder that the host follows; no others exist in it. */
  names: FolderNames | undefined;
  children: Map<string, Node>;
  /** Handles of open files of this node. */
  handles: Set<number>;
  /** Names added to a folder since its list was requested. */
  namesSince: string[] | undefined;
  /** Time of the last known change of the file, or of a folder's content (table's clock). */
  changedAt: number;
  /** Number of content changes of which the kernel was not notified yet: it may still have old pages. */
  staleTells: number;
  /**
   * Time since which the kernel may have outdated attributes, 0 for never (table's clock). Until it requests them again it
   * uses the old ones, for example the size in sendfile(2).
   */
  attributesLostAt: number;
  /** Time of the last opening for reading that the host allowed (table's clock). */
  readableAt: number;
  /** Whether the host follows this folder and notifies of changes in it. */
  isFollowed: boolean;
  /** Time at which the kernel was last allowed to cache a folder's list (table's clock). */
  cachedAt: number;
  /** Time at which the host was last told to stop following a subfolder (table's clock). */
  leftAt: number;
}

const typeMask = 0o170000;
const typeDirectory = 0o040000;

export const isDirectory = (stat: Buffer) =>
  (stat.readUInt32LE(Stat.mode) & typeMask) === typeDirectory;

export function keyOf(stat: Buffer): string {
  return stat.toString('latin1', 0, 8) + stat.toString('latin1', Stat.birth, Stat.birth + 8);
}

/** Whether size and change time are equal; other attributes do not concern cached pages. */
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

/** State of an earlier agent. */
export interface KeptTable {
  nodes: Map<number, KeptNode>;
  lastNode: number;
}

/** Gets every change of the table that the next agent must know. */
export interface NodeLog {
  made(node: Node): void;
  linked(node: Node, folder: Node, name: string): void;
  unlinked(folder: Node, name: string): void;
  /** The lookup count has changed. */
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

  /** Restores the state of an earlier agent, with the attributes that identify a file and its type. */
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
    // Its inode number may mean another file on the host by now.
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

  /** Marks the attributes of the node and the list of its folder as outdated. */
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

  /** Paths of all folders. */
  *folders(): Generator<string> {
    for (const node of this.#byId.values()) {
      const path = isDirectory(node.stat) ? this.pathOf(node) : undefined;
      if (path !== undefined) yield path;
    }
  }

  /** Node with these attributes, whatever its names. */
  known(stat: Buffer): Node | undefined {
    return this.#byKey.get(keyOf(stat));
  }

  find(folder: Node, name: string): Node | undefined {
    return folder.children.get(name);
  }

  /** Node at a path; `undefined` when a part of the path is unknown. */
  at(path: string): Node | undefined {
    return this.way(path)?.at(-1);
  }

  /** Nodes from the root to the one at a path, when all are known. */
  way(path: string): Node[] | undefined {
    const way = [this.root];
    for (const name of path === '' ? [] : path.split('/')) {
      const next = way.at(-1)!.children.get(name);
      if (next === undefined) return undefined;
      way.push(next);
    }
    return way;
  }

  /** Path of a node; `undefined` when its last name is gone. */
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

  /** Adds a file of the host by this name. `stat` is kept. */
  enter(folder: Node, name: string, stat: Buffer): Node {
    const key = keyOf(stat);
    const known = folder.children.get(name);
    if (known !== undefined && known.key !== key) this.remove(folder, name);
    let node = this.#byKey.get(key);
    if (node === undefined) node = this.#make(++this.#lastId, stat);
    else node.stat = stat;
    if (folder.children.get(name) === node) return node;
    // A file with one name that appears under another one was moved on the host.
    if (stat.readUInt32LE(Stat.links) <= 1 || isDirectory(stat))
      for (const link of [...node.links]) this.remove(link.folder, link.name);
    this.#attach(node, folder, name);
    return node;
  }

  /** Removes a name; the node stays as long as the kernel knows it. */
  remove(folder: Node, name: string): void {
    folder.changedAt = ++this.#clock;
    const node = folder.children.get(name);
    if (node === undefined) return;
    this.#detach(node, folder, name);
    // Its inode number may be reused when the last name is gone.
    if (node.links.length === 0 && this.#byKey.get(node.key) === node) this.#byKey.delete(node.key);
    this.#dropIfUnused(node);
    this.#dropIfUnused(folder);
  }

  /** Records that the folder may have this name. */
  noteName(folder: Node, name: string): void {
    folder.names?.add(name);
    if (folder.namesSince?.push(name) === mostNames) folder.namesSince = undefined;
  }

  /** Marks the start of a request for a folder's list. */
  beginList(folder: Node): void {
    if (folder.names === undefined) folder.namesSince ??= [];
  }

  /** Records the complete names of a folder that the host follows. */
  learnNames(folder: Node, names: readonly string[]): void {
    if (folder.namesSince === undefined) return;
    folder.names = new FolderNames([...names, ...folder.namesSince]);
    folder.namesSince = undefined;
  }

  /** Stores attributes. `askedAt` is the time of the request: a change since then makes the reply outdated. */
  learn(node: Node, stat: Buffer, askedAt: number): void {
    if (askedAt < node.changedAt) return;
    node.stat = stat;
    node.statAt = askedAt;
  }

  /** Records that the kernel may have outdated attributes. */
  loseAttributes(node: Node): void {
    this.loseNames(node);
    node.attributesLostAt = this.#clock;
  }

  /** Records that the folder may have unknown names. */
  loseNames(folder: Node): void {
    this.touch(folder);
    folder.names = undefined;
    folder.namesSince = undefined;
  }

  /** Records that the host no longer follows a subfolder, so that earlier replies do not count. */
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

  /** Increments the lookup count. */
  give(node: Node): void {
    node.lookups++;
    this.#log?.counted(node);
  }

  /** Decrements the lookup count. Returns true when the node was removed. */
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

  /** A folder also stays for nodes below it, whose paths contain it. */
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
