/**
 * Watches a shared folder for changes by this computer. Only directories that the machine has read
 * are watched: on Linux each one (inotify(7)), elsewhere the whole tree, which those systems do at no
 * cost. An event only tells where to look; the change is the difference to what the machine knew. So
 * the machine's own changes, which cause events too, are never sent back to it.
 */
import { type BigIntStats, type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';
import { ChangeKind, joinPath, splitPath } from '../../../../agent/contract/share-wire.ts';
import { movedPath, type SharedFolder } from './shared-folder.ts';

export interface Change {
  kind: number;
  path: string;
  newPath?: string;
  /** The current attributes, or the last ones of a removed file; undefined when they were never read. */
  stats: BigIntStats | undefined;
}

export interface FolderWatchOptions {
  folder: SharedFolder;
  tell(changes: readonly Change[]): void;
  /** Whether the whole tree is watched at once, or each directory. */
  wholeTree?: boolean;
}

interface Followed {
  path: string;
  /** Undefined for an entry that was there when the directory was first read. */
  names: Map<string, BigIntStats | undefined>;
  watcher: FSWatcher | undefined;
  /** Names that the machine looked up before their event arrived. */
  early: Set<string>;
  /** Names that were read after the watch began and that the machine does not know. */
  lookedAt: Set<string>;
  /** Names for which an event has arrived. */
  stirred: Set<string>;
}

interface Event {
  followed: Followed;
  name: string;
}

/** A change, and its position among the events that are handled together. */
interface Placed extends Change {
  place: number;
}

/** The events of one change, such as both halves of a rename, arrive within this time. */
const gatherMs = 4;
const namesATurn = 100;
const mostOwnLinks = 10_000;

export class FolderWatch {
  readonly #folder: SharedFolder;
  readonly #tell: FolderWatchOptions['tell'];
  readonly #followed = new Map<string, Followed>();
  readonly #tree: FSWatcher | undefined;
  /** Inodes whose link count the machine changed, perhaps through a name that is not watched. */
  readonly #ownLinks = new Set<bigint>();
  /** Events in the order of their arrival, each name once. */
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

  /** Watches a directory from now on, unless the system has no more watches (inotify(7), max_user_watches). */
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
      // The directory was removed, which an event of its parent reports too.
      followed.watcher.on('error', () => {});
    }
    // The directory is read after the watch has begun, so that no change is missed.
    for (const name of readdirSync(place, { encoding: 'buffer' }))
      followed.names.set(name.toString('latin1'), undefined);
    this.#followed.set(path, followed);
    this.#lookCloser(followed, isInList);
  }

  /** The same for an entry of a listing, which may have been removed since the directory was read. */
  followEntry(path: string): void {
    try {
      this.followFolder(path, true);
    } catch {
      // The parent's event reports the removal.
    }
  }

  leaveFolder(path: string): void {
    const followed = this.#followed.get(path);
    if (followed === undefined) return;
    followed.watcher?.close();
    this.#followed.delete(path);
  }

  /**
   * Records attributes that are being sent to the machine. True when it will get changes to them. A
   * change whose event has not arrived yet is sent first.
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

  /** The directory is watched, and was empty when that began. */
  isEmpty(folder: string): boolean {
    return this.#followed.get(folder)?.names.size === 0;
  }

  /** Records a change by the machine itself. */
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
      // rename(2) between two links of the same file leaves both names.
      if (lstatSync(this.#folder.locate(path), { throwIfNoEntry: false }) !== undefined) return;
      this.#dropBelow(newPath);
      this.#moveBelow(path, newPath);
      source?.names.delete(from.name);
    }
    // rename(2) updates the file's ctime.
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

  /** True when a directory of the path was moved and the event of that has not arrived yet. */
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
    // Events in a moved directory are handled once its new path is known.
    const gone = new Set(events.map(({ followed }) => followed).filter((it) => !this.#isThere(it)));
    const changes = this.#changesOfAll(events, ({ followed }) => !gone.has(followed));
    const moved = changes.findLast(({ kind }) => kind === ChangeKind.renamed)?.place ?? 0;
    for (const change of this.#changesOfAll(events, ({ followed }) => gone.has(followed)))
      changes.push({ ...change, place: Math.max(change.place, moved) });
    // They keep their order among the changes, since later changes may depend on them.
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

  /** The change at one name, compared with what the machine knows. */
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
    // The name was read between the change and its event, so the state before is unknown.
    const kind =
      this.#differenceOf(known, stats) ?? (wasLookedAt ? ChangeKind.modified : undefined);
    return kind === undefined ? [] : [{ kind, path, stats }];
  }

  /** The times of a directory change with its entries, whose changes are sent anyway. */
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
      // A directory of the path was removed, which its own event reports.
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

  /** The machine may have looked up the directory at its new path already, and know new entries there. */
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

  /** A watch stays with the inode when the directory is renamed. */
  #moveBelow(path: string, newPath: string): void {
    for (const followed of [...this.#followed.values()]) {
      const moved = movedPath(followed.path, path, newPath);
      if (moved === followed.path) continue;
      this.#followed.delete(followed.path);
      followed.path = moved;
      this.#followed.set(moved, followed);
    }
  }

  /** The inode of a name tells a rename from a removal. */
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
    // Entries of a listing are skipped: there may be thousands, and none was asked for by itself.
    if (isInList) setImmediate(goOn);
    else goOn();
  }
}

function isSameFile(known: BigIntStats, stats: BigIntStats): boolean {
  return (
    known.ino === stats.ino && known.dev === stats.dev && known.birthtimeNs === stats.birthtimeNs
  );
}

/** Joins a removal and a creation of the same inode into a rename, at the position of the creation. */
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
      // The removal of a file that a rename replaced is part of the rename.
      !(
        change.kind === ChangeKind.removed && result.some((other) => other.newPath === change.path)
      ),
  );
}
