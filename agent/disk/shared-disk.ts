/**
 * One file system for the writable layers of containers, where the state file system holds no directory to a limit: ext4
 * in a sparse file on a loop device, mounted where the layers lie. Where the kernel can, it holds each of them to a limit
 * (detect.ts); elsewhere only those lie in it that have none of their own. All of them together leave the machine a floor
 * (docs/decisions/0019): what the machine has beyond it may be written, and the rest is kept back, from root too, as what
 * the machine has left changes.
 *
 * It stays mounted while a container runs, with or without an agent.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  type StatsFs,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CortenError } from '../errors.ts';
import { ext4BlockBytes, hasExt4Projects, reserveExt4Blocks } from '../kernel/ext4.ts';
import { loopOf, loopPath } from '../kernel/loop.ts';
import { detachMount } from '../kernel/mount.ts';
import { makeImage, searchPath } from './loop-image.ts';
import { attachAt, isMounted, mountLoop } from './loop-mount.ts';
import { groupBytes, journalFor, leastReserve } from './loop-plan.ts';

export interface SharedDiskOptions {
  /** Where layers lie. The file is beside it. */
  directory: string;
  /** Whether one is made where there is none. One that is there is used anyhow. */
  isWanted: boolean;
  /** Without a floor containers may take whatever is there. */
  leavesFloor: boolean;
  /** Told of one that cannot be made: layers lie on the state file system then. */
  report: (what: string, error: unknown) => void;
}

export interface SharedDisk {
  /** `leave`: containers that use it go on. */
  close(how: 'leave' | 'unmount'): void;
}

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const floorShare = 1 / 8;
const mostFloorBytes = 8 * gib;
/** Groups of an ext4 take memory and time to mount. */
const largestBytes = 2048 * gib;
/** On less, such as a small tmpfs, the file system itself is too much of it. */
const leastBytes = 64 * mib;
const roundMs = 1000;

/** Throws unavailable when one that is there cannot be mounted. */
export async function openSharedDisk(options: SharedDiskOptions): Promise<SharedDisk | undefined> {
  const { directory, leavesFloor, report } = options;
  const image = `${directory}.ext4`;
  const device = existsSync(image)
    ? mountShared(image, directory)
    : await makeAndMount(image, options);
  if (device === undefined) return undefined;
  const round = () => {
    try {
      const shared = statfsSync(directory);
      const left = leavesFloor ? mayTake(roomOf(image, shared)) : undefined;
      reserveExt4Blocks(device, blocksToKeep(shared, left));
    } catch (error) {
      report('leave the machine a part of its disk', error);
    }
  };
  round();
  const timer = setInterval(round, roundMs).unref();
  return {
    close: (how) => {
      clearInterval(timer);
      if (how === 'unmount' && isMounted(directory)) detachMount(directory);
    },
  };
}

/** The device of a new one; undefined where none is wanted, or can be. */
async function makeAndMount(
  image: string,
  { directory, isWanted, report }: SharedDiskOptions,
): Promise<string | undefined> {
  // Somebody may have put another disk there.
  if (!isWanted || isMounted(directory)) return undefined;
  // A kernel that has quotas may lack their format (CONFIG_QFMT_V2).
  const ways = knowsQuotas() ? [true, false] : [false];
  for (const projects of ways)
    try {
      return (await makeShared(image, projects)) ? mountShared(image, directory) : undefined;
    } catch (error) {
      // What cannot be mounted here, in a container without loop devices, say, is of no use.
      rmSync(image, { force: true });
      if (!projects) report('make a disk for the layers of all containers', error);
    }
  return undefined;
}

/** CONFIG_QUOTA. */
const knowsQuotas = () => existsSync('/proc/sys/fs/quota');

/** In bytes. */
export interface DiskRoom {
  /** What the machine has left. */
  free: number;
  /** What the file system's file has of the machine. */
  taken: number;
  /** What is in the file system, some of which the kernel has still to write to its file. */
  written: number;
}

function roomOf(image: string, { blocks, bfree }: StatsFs): DiskRoom {
  const { bavail, bsize } = statfsSync(dirname(image));
  return {
    free: bavail * bsize,
    taken: statSync(image).blocks * 512,
    written: (blocks - bfree) * ext4BlockBytes,
  };
}

/** Bytes beside what they have: an eighth of all that layers could have stays the machine's. */
export function mayTake({ free, taken, written }: DiskRoom): number {
  const all = free + taken;
  const floor = Math.min(all * floorShare, mostFloorBytes);
  return Math.max(0, all - floor - Math.max(taken, written));
}

/** Of its free blocks those that are not to be written; what ext4 needs in hand at least. */
export function blocksToKeep(
  { blocks, bfree }: Pick<StatsFs, 'blocks' | 'bfree'>,
  mayTakeBytes: number | undefined,
): number {
  const least = leastReserve(blocks);
  if (mayTakeBytes === undefined) return least;
  return Math.max(least, Math.ceil(bfree - mayTakeBytes / ext4BlockBytes));
}

/** As large as the machine's disk, in a file without blocks. False where that is too small. */
async function makeShared(image: string, projects: boolean): Promise<boolean> {
  const { blocks, bsize } = statfsSync(dirname(image));
  const bytes = Math.min(blocks * bsize, largestBytes);
  if (bytes < leastBytes) return false;
  const half = `${image}.new`;
  rmSync(half, { force: true });
  const plan = {
    bytes: Math.floor(bytes / mib) * mib,
    // Of all, more is under way at once.
    journalBytes: bytes < 8 * gib ? journalFor(bytes) : 64 * mib,
    inodes: undefined,
  };
  closeSync(openSync(half, 'wx', 0o600));
  // On btrfs each write would go elsewhere; other file systems know no such flag (chattr(1)).
  spawnSync('chattr', ['+C', half], { stdio: 'ignore' });
  const facts = { growsOnline: false, stateBytes: bytes, superblockCopies: 2, projects } as const;
  await makeImage(half, plan, facts);
  renameSync(half, image);
  return true;
}

/** Mounts it unless it is, and returns the name of its device. */
function mountShared(image: string, directory: string): string {
  const fileFd = openSync(image, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const loop = loopOf(fileFd);
    try {
      if (!isMounted(directory)) {
        attach(loop.number, image, directory);
        giveBack(directory);
      }
      return `loop${loop.number}`;
    } finally {
      closeSync(loop.fd);
    }
  } finally {
    closeSync(fileFd);
  }
}

function attach(loopNumber: number, image: string, directory: string): void {
  const mountFd = mountOrRepair(loopNumber, image);
  try {
    attachAt(directory, mountFd);
  } finally {
    closeSync(mountFd);
  }
}

/**
 * What was removed goes back to the machine on a thread of the kernel's, soon, and not at all if the file system is
 * unmounted before that (seen with Linux 6.18).
 */
function giveBack(directory: string): void {
  const trim = spawn('fstrim', [directory], { env: { PATH: searchPath }, stdio: 'ignore' });
  // Without the program, or on a file system whose files cannot have holes, it stays taken.
  trim.on('error', () => {}).unref();
}

/** With its own superblock, and if that cannot be read with the first copy (mke2fs(8), `sparse_super2`). */
function isRepaired(device: string): boolean {
  const copy = ['-b', String(groupBytes / ext4BlockBytes), '-B', String(ext4BlockBytes)];
  for (const superblock of [[], copy]) {
    // e2fsck(8): 1 is "corrected", 8 "operational error". With -p it stops before what a person should decide.
    const { status } = spawnSync('e2fsck', ['-p', ...superblock, device], {
      env: { PATH: searchPath, LC_ALL: 'C' },
      stdio: 'ignore',
    });
    if (status !== 8) return status === 1;
  }
  return false;
}

/** One that was made for it holds its directories to limits. */
const mountAsMade = (loopNumber: number, image: string) =>
  mountLoop(loopNumber, hasExt4Projects(image) ? [['prjquota']] : []);

/** What can be put right without a loss is. */
function mountOrRepair(loopNumber: number, image: string): number {
  try {
    return mountAsMade(loopNumber, image);
  } catch (error) {
    if (isRepaired(loopPath(loopNumber))) return mountAsMade(loopNumber, image);
    throw new CortenError(
      'unavailable',
      `the layers of containers in ${image} cannot be mounted, nor put right without a decision. As root, run: e2fsck -f ${image}`,
      { cause: error },
    );
  }
}
