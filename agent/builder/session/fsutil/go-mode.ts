/** File modes as Go writes them (io/fs.FileMode): fsutil sends these, not those of inode(7). */
import { constants } from 'node:fs';

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK } = constants;

/** Bits above the nine of permissions. Above 2 ** 31 JavaScript's operators would count below zero. */
const Go = {
  directory: 2 ** 31,
  symbolicLink: 1 << 27,
  device: 1 << 26,
  namedPipe: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  characterDevice: 1 << 21,
  sticky: 1 << 20,
  irregular: 1 << 19,
} as const;

export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'device' | 'socket' | 'other';

export function kindOf(goMode: number): FileKind {
  const has = (bit: number) => (goMode & bit) !== 0;
  if (has(Go.directory)) return 'directory';
  if (has(Go.symbolicLink)) return 'symlink';
  if (has(Go.device) || has(Go.characterDevice)) return 'device';
  if (has(Go.namedPipe)) return 'fifo';
  if (has(Go.socket)) return 'socket';
  return has(Go.irregular) ? 'other' : 'file';
}

/** The twelve bits of chmod(2). */
export function permissionsOf(goMode: number): number {
  let mode = goMode & 0o777;
  if ((goMode & Go.setuid) !== 0) mode |= 0o4000;
  if ((goMode & Go.setgid) !== 0) mode |= 0o2000;
  if ((goMode & Go.sticky) !== 0) mode |= 0o1000;
  return mode;
}

/** From `st_mode` of stat(2). */
export function goModeOf(mode: number): number {
  let go = mode & 0o777;
  if ((mode & 0o4000) !== 0) go += Go.setuid;
  if ((mode & 0o2000) !== 0) go += Go.setgid;
  if ((mode & 0o1000) !== 0) go += Go.sticky;
  return go + typeBits(mode & S_IFMT);
}

function typeBits(type: number): number {
  switch (type) {
    case S_IFREG:
      return 0;
    case S_IFDIR:
      return Go.directory;
    case S_IFLNK:
      return Go.symbolicLink;
    case S_IFIFO:
      return Go.namedPipe;
    case S_IFCHR:
      return Go.device + Go.characterDevice;
    case S_IFBLK:
      return Go.device;
    case S_IFSOCK:
      return Go.socket;
    default:
      return Go.irregular;
  }
}
