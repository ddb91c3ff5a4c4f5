/**
 * Changes that the host made, told to the kernel. FUSE has no way to say "this was changed" so that
 * inotify hears of it: so a thread of ours makes the same change through the mount, and its questions
 * are answered here, without the host, which has made the change already. The kernel then moves its
 * own names and says what it always says: a create is heard as a create, a rename as both its halves.
 */
import type { MessagePort } from 'node:worker_threads';
import {
  ChangeKind,
  type FrameReader,
  type FrameWriter,
  Stat,
  splitPath,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import type { Question } from './fuse-wire.ts';
import { forgetName } from './names.ts';
import { isDirectory, isSameContent, keyOf, type Node } from './node-table.ts';
import { answerReplay, isHeld } from './replay-answers.ts';
import { type Change, type Place, readChanges, type Told } from './replay-change.ts';
import type { ShareContext } from './share-context.ts';

/** What the replaying thread is to do. */
export interface ReplayOrder {
  kind: number;
  /** Folder's path below the mount, and its node. */
  folder: string;
  folderNode: number;
  name: string;
  /** Undefined where the kernel knows no such file. */
  node: number | undefined;
  mode: number;
  size: number;
  modifiedNanos: bigint;
  toFolder: string;
  toFolderNode: number;
  toName: string;
  /** Have the kernel ask for the file's attributes. */
  asks: boolean;
}

const nothing = { to: undefined, replaced: undefined, isEntered: false };
const typeMask = 0o170000;
export class Replay {
  readonly #share: ShareContext;
  readonly #send: (order: ReplayOrder) => void;
  readonly #waiting: Change[] = [];
  /** What somebody waits for, before the rest. */
  readonly #urgent: Change[] = [];
  readonly #untilTold = new Map<Node, (() => void)[]>();
  #current: Change | undefined;

  constructor(share: ShareContext, send: (order: ReplayOrder) => void) {
    this.#share = share;
    this.#send = send;
  }

  /** Whether all that the host told has reached the kernel. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#urgent.length + this.#waiting.length === 0;
  }

  /**
   * The table says from here on what the host has: who asks for something in a folder that was moved
   * is to reach it, long before the kernel has heard of that.
   */
  take(reader: FrameReader): void {
    for (const told of readChanges(reader)) this.#tell(told);
    this.#next();
  }

  /** What was asked from here and given up: most of it is as the machine knows it. */
  takeMissed(reader: FrameReader): void {
    for (const told of readChanges(reader)) if (!this.#isKnown(told)) this.#tell(told);
    this.#next();
  }

  tellMade(path: string, stat: Buffer): void {
    this.#tell({ kind: ChangeKind.created, path, newPath: '', stat });
    this.#next();
  }

  #isKnown({ kind, path, newPath, stat }: Told): boolean {
    const known = this.#share.nodes.at(kind === ChangeKind.renamed ? newPath : path);
    if (kind === ChangeKind.removed) return known === undefined;
    if (known?.key !== keyOf(stat)) return false;
    return (
      known.stat.readUInt32LE(Stat.mode) === stat.readUInt32LE(Stat.mode) &&
      (isDirectory(stat) || isSameContent(known.stat, stat))
    );
  }

  #tell({ kind, path, newPath, stat }: Told): void {
    const at = this.#placeOf(path);
    const to = kind === ChangeKind.renamed ? this.#placeOf(newPath) : undefined;
    // Undefined for a place that the kernel has forgotten: nobody can be listening there.
    if (at === undefined) {
      if (to !== undefined)
        this.#tell({ kind: ChangeKind.created, path: newPath, newPath: '', stat });
      return;
    }
    if (kind === ChangeKind.renamed && to === undefined) {
      this.#tell({ kind: ChangeKind.removed, path, newPath: '', stat });
      return;
    }
    const { nodes } = this.#share;
    for (const place of [at, to]) if (place !== undefined) nodes.noteName(place.folder, place.name);
    const node = nodes.find(at.folder, at.name);
    // The moved file itself may have been found there already.
    const found = to && nodes.find(to.folder, to.name);
    const replaced = found?.key === keyOf(stat) ? undefined : found;
    const isStale = node !== undefined && kind === ChangeKind.modified;
    const change: Change = {
      ...{ kind, stat, at, node, to, replaced },
      now: to ?? at,
      isEntered: false,
      stale: isStale ? node : undefined,
    };
    // What the table does not know yet may be on its way to the kernel under another name.
    if (to !== undefined && node === undefined)
      for (const earlier of [this.#current, ...this.#waiting])
        if (earlier !== undefined && keyOf(earlier.stat) === keyOf(stat)) earlier.now = to;
    this.#waiting.push(change);
    if (node === undefined) at.folder.changedAt = nodes.clock + 1;
    else nodes.touch(node);
    // What is asked and answered before the kernel is told is newer.
    if (node?.key === keyOf(stat)) node.stat = stat;
    if (isStale) node.staleTells++;
    if (kind === ChangeKind.removed) forgetName(this.#share, at.folder, at.name);
    else if (to !== undefined && node !== undefined) this.#move(at, to);
  }

  #placeOf(path: string): Place | undefined {
    const { folder: folderPath, name } = splitPath(path);
    const way = this.#share.nodes.way(folderPath);
    return way && { folder: way.at(-1)!, name, folderPath, way };
  }

  /** Everything that the kernel knows may have changed: it is to ask again. */
  loseAll(): void {
    const { nodes } = this.#share;
    for (const node of nodes.all()) {
      if (node === nodes.root) continue;
      if (!this.#lose(ChangeKind.lost, node)) continue;
      nodes.loseAttributes(node);
      // Who has it open may never look at it again, only send it.
      if (node.handles.size > 0) this.#askFor(node);
    }
    this.#loseAbsent();
    this.#next();
  }

  /** Names that are not in the uppermost folder, which cannot be let go of by a name of its own. */
  #loseAbsent(): void {
    const { nodes, link } = this.#share;
    const { root } = nodes;
    nodes.loseNames(root);
    const fill = (frame: FrameWriter) => frame.name('');
    link.ask(Wire.list, fill, (reader) => {
      // A folder that cannot be listed is asked for name by name, when the kernel's time for each is over.
      if (reader.errno !== 0) return;
      while (reader.left > 0) {
        const name = reader.name();
        const stat = reader.raw(statBytes);
        const at = this.#placeOf(name);
        if (at === undefined || nodes.find(root, name) !== undefined) continue;
        const [kind, node, stale] = [ChangeKind.lost, undefined, undefined];
        this.#waiting.push({ ...nothing, now: at, kind, stat, at, node, stale });
      }
      this.#next();
    });
  }

  /** Every node's attributes, which the kernel is to ask for again. */
  forgetAttributes(): void {
    for (const node of this.#share.nodes.all()) this.#lose(ChangeKind.attributesLost, node);
    this.#next();
  }

  /** Once the kernel has asked for attributes that it may have missed. */
  whenTold(node: Node, then: () => void): void {
    if (node.attributesLostAt === 0 || !this.#askFor(node)) then();
    else this.#untilTold.get(node)?.push(then);
    this.#next();
  }

  #askFor(node: Node): boolean {
    const path = this.#share.nodes.pathOf(node);
    const at = path === undefined ? undefined : this.#placeOf(path);
    if (at === undefined) return false;
    const { attributesLostAt: asksFor } = node;
    if (!this.#untilTold.has(node)) this.#untilTold.set(node, []);
    if (asksFor !== this.#current?.asksFor && !this.#urgent.some((it) => it.asksFor === asksFor)) {
      node.staleTells++;
      this.#urgent.push({
        ...nothing,
        now: at,
        kind: ChangeKind.lost,
        stat: node.stat,
        at,
        node,
        stale: node,
        asksFor,
      });
    }
    return true;
  }

  #lose(kind: number, node: Node): boolean {
    const path = this.#share.nodes.pathOf(node);
    const at = path === undefined ? undefined : this.#placeOf(path);
    if (at === undefined) return false;
    const stale = kind === ChangeKind.lost ? node : undefined;
    if (stale !== undefined) stale.staleTells++;
    this.#waiting.push({ ...nothing, now: at, kind, stat: node.stat, at, node, stale });
    return true;
  }

  /** The thread has carried out its order. */
  done(): void {
    const ended = this.#current;
    this.#current = undefined;
    if (ended !== undefined) {
      this.#settle(ended);
      this.#end(ended);
    }
    this.#next();
  }

  #next(): void {
    while (this.#current === undefined) {
      const change = this.#urgent.shift() ?? this.#waiting.shift();
      if (change === undefined) return;
      const order = this.#orderOf(change);
      if (order === undefined) this.#end(change);
      else this.#send(order);
    }
  }

  /** Undefined for a place that the kernel has forgotten meanwhile. */
  #orderOf(change: Change): ReplayOrder | undefined {
    const { kind, stat, at, to, node } = change;
    if (!isHeld(this.#share, at.folder) || (to !== undefined && !isHeld(this.#share, to.folder)))
      return undefined;
    this.#current = change;
    return {
      kind,
      folder: at.folderPath,
      folderNode: at.folder.id,
      name: at.name,
      node: node !== undefined && isHeld(this.#share, node) ? node.id : undefined,
      mode: (kind === ChangeKind.removed && node?.stat ? node.stat : stat).readUInt32LE(Stat.mode),
      size: Number(stat.readBigUInt64LE(Stat.size)),
      modifiedNanos:
        stat.readBigInt64LE(Stat.modified) * 1_000_000_000n +
        BigInt(stat.readUInt32LE(Stat.modifiedNanos)),
      toFolder: to?.folderPath ?? '',
      toFolderNode: to?.folder.id ?? 0,
      toName: to?.name ?? '',
      asks: change.asksFor !== undefined,
    };
  }

  /** What got its name in the table only while the kernel was told that it has gone. */
  #settle({ kind, at, node, isEntered }: Change): void {
    if (kind !== ChangeKind.removed || !isEntered) return;
    if (this.#share.nodes.find(at.folder, at.name) === node)
      forgetName(this.#share, at.folder, at.name);
  }

  /** Whoever waits for it goes on, also when there was nothing to be told. */
  #end({ node, stale, asksFor }: Change): void {
    if (stale !== undefined) stale.staleTells--;
    // Lost once more since, it is asked for once more.
    if (node === undefined || asksFor === undefined || asksFor !== node.attributesLostAt) return;
    node.attributesLostAt = 0;
    const waiting = this.#untilTold.get(node) ?? [];
    this.#untilTold.delete(node);
    for (const then of waiting) then();
  }

  #move(at: Place, to: Place): void {
    const { nodes } = this.#share;
    if (nodes.find(at.folder, at.name) !== nodes.find(to.folder, to.name))
      forgetName(this.#share, to.folder, to.name);
    nodes.move(at.folder, at.name, to.folder, to.name);
  }

  /** Answers what the replaying thread caused; false for what the host has to answer after all. */
  answer(question: Question): boolean {
    const current = this.#current;
    // What was lost is the host's to say.
    if (current === undefined || current.kind === ChangeKind.lost) return false;
    return answerReplay(this.#share, question, current, () => this.#settle(current));
  }
}

export const isFolderMode = (mode: number) => (mode & typeMask) === 0o040000;
export const isRegularMode = (mode: number) => (mode & typeMask) === 0o100000;
export const isLinkMode = (mode: number) => (mode & typeMask) === 0o120000;

export type ReplayPort = Pick<MessagePort, 'postMessage'>;
