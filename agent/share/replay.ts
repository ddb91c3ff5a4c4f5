/**
 * Replays changes of the host to the kernel. FUSE has no notification that triggers inotify, so a thread of the agent
 * repeats the change through the mount, and the agent answers its requests without the host, which has made the
 * change already. The kernel then moves its own names and emits its usual events: a creation as a creation, a rename
 * as both of its halves.
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

/** A task for the replay thread. */
export interface ReplayOrder {
  kind: number;
  /** Path of the folder below the mount, and its node. */
  folder: string;
  folderNode: number;
  name: string;
  /** Node of the file; `undefined` when the kernel does not know it. */
  node: number | undefined;
  mode: number;
  size: number;
  modifiedNanos: bigint;
  toFolder: string;
  toFolderNode: number;
  toName: string;
  /** Whether the kernel must request the file's attributes. */
  asks: boolean;
}

const nothing = { to: undefined, replaced: undefined, isEntered: false };
const typeMask = 0o170000;
export class Replay {
  readonly #share: ShareContext;
  readonly #send: (order: ReplayOrder) => void;
  readonly #waiting: Change[] = [];
  /** Changes that a request waits for, which come before the others. */
  readonly #urgent: Change[] = [];
  readonly #untilTold = new Map<Node, (() => void)[]>();
  #current: Change | undefined;

  constructor(share: ShareContext, send: (order: ReplayOrder) => void) {
    this.#share = share;
    this.#send = send;
  }

  /** Whether all received changes have reached the kernel. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#urgent.length + this.#waiting.length === 0;
  }

  /**
   * Receives changes and applies them to the table at once: a request in a moved folder must reach it before the
   * kernel knows of the move.
   */
  take(reader: FrameReader): void {
    for (const told of readChanges(reader)) this.#tell(told);
    this.#next();
  }

  /** Receives changes that came from given-up requests of this machine, most of which the kernel knows already. */
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
    // `undefined` means that the kernel has forgotten the place, so nobody can watch it.
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
    // The moved file may have been found there already.
    const found = to && nodes.find(to.folder, to.name);
    const replaced = found?.key === keyOf(stat) ? undefined : found;
    const isStale = node !== undefined && kind === ChangeKind.modified;
    const change: Change = {
      ...{ kind, stat, at, node, to, replaced },
      now: to ?? at,
      isEntered: false,
      stale: isStale ? node : undefined,
    };
    // An unknown node may reach the kernel under another name.
    if (to !== undefined && node === undefined)
      for (const earlier of [this.#current, ...this.#waiting])
        if (earlier !== undefined && keyOf(earlier.stat) === keyOf(stat)) earlier.now = to;
    this.#waiting.push(change);
    if (node === undefined) at.folder.changedAt = nodes.clock + 1;
    else nodes.touch(node);
    // A reply between the change and its replay is newer.
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

  /** Makes the kernel request everything again, because anything may have changed. */
  loseAll(): void {
    const { nodes } = this.#share;
    for (const node of nodes.all()) {
      if (node === nodes.root) continue;
      if (!this.#lose(ChangeKind.lost, node)) continue;
      nodes.loseAttributes(node);
      // A program that has it open may only send it and never look at its attributes.
      if (node.handles.size > 0) this.#askFor(node);
    }
    this.#loseAbsent();
    this.#next();
  }

  /** Drops absent names of the top folder, which has no name of its own to drop. */
  #loseAbsent(): void {
    const { nodes, link } = this.#share;
    const { root } = nodes;
    nodes.loseNames(root);
    const fill = (frame: FrameWriter) => frame.name('');
    link.ask(Wire.list, fill, (reader) => {
      // When the folder cannot be listed, cached absences end with their time.
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

  /** Drops the attributes of every node. */
  forgetAttributes(): void {
    for (const node of this.#share.nodes.all()) this.#lose(ChangeKind.attributesLost, node);
    this.#next();
  }

  /** Runs `then` when the kernel has requested attributes that it may have missed. */
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

  /** Called when the thread has finished its task. */
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

  /** `undefined` means that the kernel has forgotten the place, so nobody can watch it. */
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

  /** Removes a node that entered the table only for the replay of its removal. */
  #settle({ kind, at, node, isEntered }: Change): void {
    if (kind !== ChangeKind.removed || !isEntered) return;
    if (this.#share.nodes.find(at.folder, at.name) === node)
      forgetName(this.#share, at.folder, at.name);
  }

  /** Resumes requests that wait for the change, also when nothing had to be replayed. */
  #end({ node, stale, asksFor }: Change): void {
    if (stale !== undefined) stale.staleTells--;
    // Attributes that were lost again are requested again.
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
    // The host must answer for lost attributes.
    if (current === undefined || current.kind === ChangeKind.lost) return false;
    return answerReplay(this.#share, question, current, () => this.#settle(current));
  }
}

export const isFolderMode = (mode: number) => (mode & typeMask) === 0o040000;
export const isRegularMode = (mode: number) => (mode & typeMask) === 0o100000;
export const isLinkMode = (mode: number) => (mode & typeMask) === 0o120000;

export type ReplayPort = Pick<MessagePort, 'postMessage'>;
