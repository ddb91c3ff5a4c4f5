/**
 * What this computer changes in a shared folder, for the machine that has it. Only folders that the
 * machine knows are watched: on Linux each by itself, elsewhere the whole tree at once, which those
 * systems do at no cost. An event only says where to look. What is told is the difference to what the
 * machine knew, and so its own changes, which come back as events too, are never told to it.
 */
import { type BigIntStats, type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';
import { ChangeKind, joinPath, splitPath } from '../../../../agent/contract/share-wire.ts';
import { movedPath, type SharedFolder } from './shared-folder.ts';

export interface Change {
  kind: number;
  path: string;
  newPath?: string;
  /** As it is now, or as it was when it is gone; undefined when nobody ever looked. */
  stats: BigIntStats | undefined;
}

export interface FolderWatchOptions {
  folder: SharedFolder;
  tell(changes: readonly Change[]): void;
  /** Watch the whole tree at once, or each folder. */
  wholeTree?: boolean;
}

interface Followed {
  path: string;
  /** undefined: it was there when the folder was first looked at. */
  names: Map<string, BigIntStats | undefined>;
  watcher: FSWatcher | undefined;
  /** Names that the machine found before their event came. */
  early: Set<string>;
  /** Names that were looked at some time after the watch began, and that the machine knows not. */
  lookedAt: Set<string>;
  /** Names of which an event came. */
  stirred: Set<string>;
}

interface Event {
  followed: Followed;
  name: string;
}

/** A change, and which of the events looked at together it is of. */
interface Placed extends Change {
  place: number;
}

/** Events of one change come together, and both halves of a rename do. */
const gatherMs = 4;
const namesATurn = 100;
const mostOwnLinks = 10_000;

export class FolderWatch {
  readonly #folder: SharedFolder;
  readonly #tell: FolderWatchOptions['tell'];
  readonly #followed = new Map<string, Followed>();
  readonly #tree: FSWatcher | undefined;
  /** Files whose number of names the machine changed, through a name that need not be known here. */
  readonly #ownLinks = new Set<bigint>();
  /** In the order in which they came, each name once. */
  #events: Event[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ folder, tell, wholeTree = process.platform !== 'linux' }: FolderWatchOptions) {
    this.#folder = folder;
    this.#tell = tell;
    if (!wholeTree) return;
    this.#tree = watch(folder.root, { recursive: true, encoding: 'buffer' }, (_event, name) => {
      if (name !== null) this.#onTreeEvent(name.toString('latin1').replaceAll('\\', '/'));
    });
    this.#tree.on('error', () => {});
  }

  followFolderOf(path: string): void {
    this.followFolder(splitPath(path).folder);
  }

  /** Changes in it are told from now on; not when this system has no more watches to give. */
  followFolder(path: string, isInList = false): void {
    if (this.#followed.has(path)) return;
    const followed: Followed = {
      path,
      names: new Map(),
      watcher: undefined,
      early: new Set(),
      lookedAt: new Set(),
      stirred: new Set(),
    };
    const place = this.#folder.locateFolder(path);
    if (this.#tree === undefined) {
      try {
        followed.watcher = watch(place, { encoding: 'buffer' }, (_event, name) => {
          if (name !== null) this.#onEvent(followed, name.toString('latin1'));
        });
      } catch {
        return;
      }
      // It has gone, which its parent says too.
      followed.watcher.on('error', () => {});
    }
    // After the watch has begun, so that nothing falls between.
    for (const name of readdirSync(place, { encoding: 'buffer' }))
      followed.names.set(name.toString('latin1'), undefined);
    this.#followed.set(path, followed);
    this.#lookCloser(followed, isInList);
  }

  /** The same for one that is about to be told in a list, and may have gone since it was seen. */
  followEntry(path: string): void {
    try {
      this.followFolder(path, true);
    } catch {
      // Then its parent says so.
    }
  }

  leaveFolder(path: string): void {
    const followed = this.#followed.get(path);
    if (followed === undefined) return;
    followed.watcher?.close();
    this.#followed.delete(path);
  }

  /**
   * The machine is being told these attributes. True when it will hear of changes to them. A change
   * that no event has told yet is told first.
   */
  isKnown(path: string, stats: BigIntStats): boolean {
    const { folder, name } = splitPath(path);
    const followed = this.#followed.get(folder);
    if (path === '' || followed === undefined) return false;
    const known = followed.names.get(name);
    if (known !== undefined) {
      const kind = this.#differenceOf(known, stats);
      if (kind !== undefined) this.#tell([{ kind, path, stats }]);
    }
    if (!followed.names.has(name)) followed.early.add(name);
    followed.names.set(name, stats);
    followed.lookedAt.delete(name);
    return true;
  }

  isFollowed(folder: string): boolean {
    return this.#followed.has(folder);
  }

  /** It is followed, and nothing was in it when that began. */
  isEmpty(folder: string): boolean {
    return this.#followed.get(folder)?.names.size === 0;
  }

  /** The machine itself made it so. */
  own(path: string, stats: BigIntStats): void {
    const { folder, name } = splitPath(path);
    const followed = this.#followed.get(folder);
    followed?.names.set(name, stats);
    followed?.early.delete(name);
    followed?.lookedAt.delete(name);
  }

  ownLinkChange(inode: bigint): void {
    if (this.#ownLinks.size > mostOwnLinks) this.#ownLinks.clear();
    this.#ownLinks.add(inode);
  }

  ownRemoval(path: string): void {
    const { folder, name } = splitPath(path);
    this.#followed.get(folder)?.names.delete(name);
    this.#dropBelow(path);
  }

  ownRename(path: string, newPath: string, isExchange: boolean): void {
    const [from, to] = [splitPath(path), splitPath(newPath)];
    const [source, target] = [this.#followed.get(from.folder), this.#followed.get(to.folder)];
    if (isExchange) {
      const aside = '\0aside';
      this.#moveBelow(path, aside);
      this.#moveBelow(newPath, path);
      this.#moveBelow(aside, newPath);
      const moved = source?.names.get(from.name);
      source?.names.set(from.name, target?.names.get(to.name));
      target?.names.set(to.name, moved);
    } else {
      // Two names of one file: rename(2) leaves both.
      if (lstatSync(this.#folder.locate(path), { throwIfNoEntry: false }) !== undefined) return;
      this.#dropBelow(newPath);
      this.#moveBelow(path, newPath);
      source?.names.delete(from.name);
    }
    // rename(2) changes the time of change.
    for (const moved of isExchange ? [path, newPath] : [newPath]) {
      const stats = lstatSync(this.#folder.locate(moved), { bigint: true, throwIfNoEntry: false });
      if (stats !== undefined) this.own(moved, stats);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#tree?.close();
    for (const { watcher } of this.#followed.values()) watcher?.close();
    this.#followed.clear();
  }

  #onTreeEvent(path: string): void {
    const { folder, name } = splitPath(path);
    const followed = this.#followed.get(folder);
    if (followed !== undefined) this.#onEvent(followed, name);
  }

  #onEvent(followed: Followed, name: string): void {
    if (followed.stirred.has(name)) return;
    followed.stirred.add(name);
    this.#events.push({ followed, name });
    this.#timer ??= setTimeout(() => this.#look(), gatherMs);
  }

  /** A folder on the way is not where the machine was told, and what became of it has not been heard. */
  isAstray(path: string): boolean {
    return [path, splitPath(path).folder].some((folder) => {
      const followed = this.#followed.get(folder);
      return followed !== undefined && !this.#isThere(followed);
    });
  }

  #look(): void {
    this.#timer = undefined;
    const events = this.#events.splice(0);
    for (const { followed, name } of events) followed.stirred.delete(name);
    // What happened in a folder that is not where it was is looked at once it is known where it is.
    const gone = new Set(events.map(({ followed }) => followed).filter((it) => !this.#isThere(it)));
    const changes = this.#changesOfAll(events, ({ followed }) => !gone.has(followed));
    const moved = changes.findLast(({ kind }) => kind === ChangeKind.renamed)?.place ?? 0;
    for (const change of this.#changesOfAll(events, ({ followed }) => gone.has(followed)))
      changes.push({ ...change, place: Math.max(change.place, moved) });
    // And is told at its own place all the same: who heard of what came after may go by it.
    changes.sort((one, other) => one.place - other.place);
    if (changes.length > 0) this.#tell(changes);
  }

  #changesOfAll(events: readonly Event[], isWanted: (event: Event) => boolean): Placed[] {
    const changes = events.flatMap((event, place) =>
      isWanted(event)
        ? this.#changesOf(event.followed, event.name).map((change) => ({ ...change, place }))
        : [],
    );
    const paired = pairRenames(changes);
    for (const change of paired) this.#carryOn(change);
    return paired;
  }

  #isThere({ path }: Followed): boolean {
    return path === '' || this.#statsOf(path)?.isDirectory() === true;
  }

  /** What is different now at one name. */
  #changesOf(followed: Followed, name: string): Change[] {
    if (this.#followed.get(followed.path) !== followed) return [];
    const path = joinPath(followed.path, name);
    const stats = this.#statsOf(path);
    const wasThere = followed.names.has(name);
    const known = followed.names.get(name);
    const isEarly = followed.early.delete(name);
    const wasLookedAt = followed.lookedAt.delete(name);
    if (stats === undefined) {
      followed.names.delete(name);
      return wasThere ? [{ kind: ChangeKind.removed, path, stats: known }] : [];
    }
    followed.names.set(name, stats);
    if (!wasThere || isEarly) return [{ kind: ChangeKind.created, path, stats }];
    if (known === undefined) return [{ kind: ChangeKind.modified, path, stats }];
    if (!isSameFile(known, stats))
      return [
        { kind: ChangeKind.removed, path, stats: known },
        { kind: ChangeKind.created, path, stats },
      ];
    // Looked at between the change and its event: what was before nobody knows.
    const kind =
      this.#differenceOf(known, stats) ?? (wasLookedAt ? ChangeKind.modified : undefined);
    return kind === undefined ? [] : [{ kind, path, stats }];
  }

  /** A folder's own times change with what it holds, and that is told by itself. */
  #differenceOf(known: BigIntStats, stats: BigIntStats): number | undefined {
    if (!isSameFile(known, stats)) return undefined;
    const isContent = known.size !== stats.size || known.mtimeNs !== stats.mtimeNs;
    if (isContent && !stats.isDirectory()) return ChangeKind.modified;
    if (known.mode !== stats.mode) return ChangeKind.attributes;
    if (stats.isDirectory() || known.nlink === stats.nlink) return undefined;
    return this.#ownLinks.has(stats.ino) ? undefined : ChangeKind.attributes;
  }

  #statsOf(path: string): BigIntStats | undefined {
    try {
      return lstatSync(this.#folder.locate(path), { bigint: true, throwIfNoEntry: false });
    } catch {
      // A folder on the way has gone, and its own event says so.
      return undefined;
    }
  }

  #carryOn({ kind, path, newPath, stats }: Change): void {
    if (stats !== undefined && !stats.isDirectory()) return;
    if (kind === ChangeKind.removed) this.#dropBelow(path);
    else if (kind === ChangeKind.renamed && newPath !== undefined) {
      this.#learnBelow(path, newPath);
      this.#dropBelow(newPath);
      this.#moveBelow(path, newPath);
    } else return;
    this.#folder.forgetFolders();
  }

  /** The machine may have found the folder at its new place already, and know what is new there. */
  #learnBelow(path: string, newPath: string): void {
    for (const followed of this.#followed.values()) {
      const moved = movedPath(followed.path, path, newPath);
      const found = moved === followed.path ? undefined : this.#followed.get(moved);
      for (const [name, stats] of found?.names ?? [])
        if (stats !== undefined && !found!.lookedAt.has(name)) followed.names.set(name, stats);
    }
  }

  #dropBelow(path: string): void {
    for (const followed of [...this.#followed.keys()])
      if (followed === path || followed.startsWith(`${path}/`)) this.leaveFolder(followed);
  }

  /** A watch follows the folder and not its name. */
  #moveBelow(path: string, newPath: string): void {
    for (const followed of [...this.#followed.values()]) {
      const moved = movedPath(followed.path, path, newPath);
      if (moved === followed.path) continue;
      this.#followed.delete(followed.path);
      followed.path = moved;
      this.#followed.set(moved, followed);
    }
  }

  /** To tell a rename from a removal one has to know which file had the name. */
  #lookCloser(followed: Followed, isInList: boolean): void {
    const names = [...followed.names.keys()];
    const goOn = () => {
      if (this.#followed.get(followed.path) !== followed) return;
      for (const name of names.splice(0, namesATurn)) {
        if (!followed.names.has(name) || followed.names.get(name) !== undefined) continue;
        const stats = this.#statsOf(joinPath(followed.path, name));
        if (stats === undefined) continue;
        followed.names.set(name, stats);
        followed.lookedAt.add(name);
      }
      if (names.length > 0) setImmediate(goOn);
    };
    // Nobody has asked for one in a list, of which there may be thousands.
    if (isInList) setImmediate(goOn);
    else goOn();
  }
}

function isSameFile(known: BigIntStats, stats: BigIntStats): boolean {
  return (
    known.ino === stats.ino && known.dev === stats.dev && known.birthtimeNs === stats.birthtimeNs
  );
}

/** What went at one name and came at another, in the place of the second. */
function pairRenames(changes: Placed[]): Placed[] {
  const gone = new Map<bigint, Placed>();
  for (const change of changes)
    if (change.kind === ChangeKind.removed && change.stats !== undefined)
      gone.set(change.stats.ino, change);
  const paired = new Set<Placed>();
  const result = changes.map((change): Placed => {
    if (change.kind !== ChangeKind.created || change.stats === undefined) return change;
    const from = gone.get(change.stats.ino);
    if (from?.stats === undefined || !isSameFile(from.stats, change.stats)) return change;
    if (from.path === change.path) return change;
    paired.add(from);
    return { ...change, kind: ChangeKind.renamed, path: from.path, newPath: change.path };
  });
  return result.filter(
    (change) =>
      !paired.has(change) &&
      // What a rename replaced goes with it.
      !(
        change.kind === ChangeKind.removed && result.some((other) => other.newPath === change.path)
      ),
  );
}
