/** All operations of a shared folder, by their numbers in the protocol. */
import { lstatSync, readdirSync } from 'node:fs';
import { joinPath, ShareOperation as Wire } from '../../../../agent/contract/share-wire.ts';
import { getattr, setattr, statfs } from './attribute-operations.ts';
import { LinuxError } from './errno.ts';
import { create, open, readFile, release, sync, write } from './file-operations.ts';
import { type FolderState, type HostOperation, now } from './host-operation.ts';
import {
  link,
  lookup,
  mkdir,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
} from './name-operations.ts';
import { statRecord } from './stat-record.ts';

/** A long directory is read in parts of this many entries, so that other requests get their turn. */
const entriesATurn = 200;

const list: HostOperation = (state, request, _reply, later) => {
  const path = request.name();
  const place = state.folder.locateFolder(path);
  state.watch.followFolder(path);
  const names = readdirSync(place, { encoding: 'buffer' });
  const records: [name: string, record: Buffer][] = [];
  const goOn = () => {
    try {
      for (const name of names.splice(0, entriesATurn)) addEntry(state, path, name, records);
    } catch (error) {
      later(error as Error);
      return;
    }
    if (names.length > 0) setImmediate(goOn);
    // A directory that was moved meanwhile would look empty, so the path is checked again.
    else if (state.watch.isAstray(path)) later(new LinuxError('ENOENT'));
    else
      later(null, (reply) => {
        for (const [name, record] of records) reply.name(name).raw(record);
      });
  };
  goOn();
  return 'later';
};

function addEntry(
  state: FolderState,
  path: string,
  name: Buffer,
  records: [name: string, record: Buffer][],
): void {
  const text = name.toString('latin1');
  const entry = joinPath(path, text);
  const stats = lstatSync(state.folder.locate(entry), { bigint: true, throwIfNoEntry: false });
  // The entry was removed after the directory was read.
  if (stats === undefined) return;
  const isWatched = state.watch.isKnown(entry, stats);
  // An inotify(7) watch in the machine may wait for changes here without any further request.
  if (stats.isDirectory()) state.watch.followEntry(entry);
  records.push([text, statRecord(stats, state.folder.device, isWatched)]);
}

const unwatch = now((state, request) => state.watch.leaveFolder(request.name()));
const watch = now((state, request) => state.watch.followFolder(request.name()));

export const hostOperations = new Map<number, HostOperation>([
  [Wire.lookup, lookup],
  [Wire.getattr, getattr],
  [Wire.setattr, setattr],
  [Wire.readlink, readlink],
  [Wire.symlink, symlink],
  [Wire.mkdir, mkdir],
  [Wire.unlink, unlink],
  [Wire.rmdir, rmdir],
  [Wire.rename, rename],
  [Wire.link, link],
  [Wire.open, open],
  [Wire.create, create],
  [Wire.read, readFile],
  [Wire.write, write],
  [Wire.release, release],
  [Wire.fsync, sync],
  [Wire.list, list],
  [Wire.statfs, statfs],
  [Wire.unwatch, unwatch],
  [Wire.watch, watch],
]);
