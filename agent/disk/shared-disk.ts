/**
 * One file system for the writable layers of containers, for a state file system that cannot limit directories: ext4
 * in a sparse file on a loop device, mounted at the directory of the layers. If the kernel supports it, it limits
 * each layer (detect.ts); otherwise it contains only layers without a limit of their own. All of them together leave
 * a system reserve on the machine's disk (docs/decisions/0019): blocks beyond it are reserved, even from root, and
 * the number follows the machine's free space.
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
  /** Directory of the layers. The file is beside it. */
  directory: string;
  /** Whether to create one. An existing one is used in any case. */
  isWanted: boolean;
  /** Whether to keep a reserve for the system; otherwise containers may use the whole disk. */
  keepsReserve: boolean;
  /** Gets the error when it cannot be created; layers are then on the state file system. */
  report: (what: string, error: unknown) => void;
}

export interface SharedDisk {
  /** With `leave`, containers that use it go on. */
  close(how: 'leave' | 'unmount'): void;
}

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const floorShare = 1 / 8;
const mostFloorBytes = 8 * gib;
/** Largest size: block groups of ext4 take memory and time to mount. */
const largestBytes = 2048 * gib;
/** Smallest size: on a small tmpfs the file system's own overhead would be too much. */
const leastBytes = 64 * mib;
const roundMs = 1000;

/** Opens the shared disk. Throws unavailable when an existing one cannot be mounted. */
export async function openSharedDisk(options: SharedDiskOptions): Promise<SharedDisk | undefined> {
  const { directory, keepsReserve, report } = options;
  const image = `${directory}.ext4`;
  const device = existsSync(image)
    ? mountShared(image, directory)
    : await makeAndMount(image, options);
  if (device === undefined) return undefined;
  const round = () => {
    try {
      const shared = statfsSync(directory);
      const left = keepsReserve ? allowedBytes(measure(image, shared)) : undefined;
      reserveExt4Blocks(device, blocksToReserve(shared, left));
    } catch (error) {
      report('reserve disk space for the system', error);
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

/** Loop device of a new disk; `undefined` when none is wanted or possible. */
async function makeAndMount(
  image: string,
  { directory, isWanted, report }: SharedDiskOptions,
): Promise<string | undefined> {
  // Another file system may be mounted there already.
  if (!isWanted || isMounted(directory)) return undefined;
  // A kernel with quotas may lack their format (CONFIG_QFMT_V2).
  const ways = knowsQuotas() ? [true, false] : [false];
  for (const projects of ways)
    try {
      return (await makeShared(image, projects)) ? mountShared(image, directory) : undefined;
    } catch (error) {
      // An image that cannot be mounted, as in a container without loop devices, is useless.
      rmSync(image, { force: true });
      if (!projects) report('create the shared disk of container layers', error);
    }
  return undefined;
}

/** Whether the kernel has CONFIG_QUOTA. */
const knowsQuotas = () => existsSync('/proc/sys/fs/quota');

/** Use of the disk, in bytes. */
export interface DiskUse {
  /** Free space of the machine's disk. */
  free: number;
  /** Space that the file system's file takes of the machine's disk. */
  taken: number;
  /** Space used in the file system, some of which the kernel has not yet written to its file. */
  written: number;
}

function measure(image: string, { blocks, bfree }: StatsFs): DiskUse {
  const { bavail, bsize } = statfsSync(dirname(image));
  return {
    free: bavail * bsize,
    taken: statSync(image).blocks * 512,
    written: (blocks - bfree) * ext4BlockBytes,
  };
}

/** Bytes that layers may still write: an eighth of all that they could have stays with the machine. */
export function allowedBytes({ free, taken, written }: DiskUse): number {
  const all = free + taken;
  const floor = Math.min(all * floorShare, mostFloorBytes);
  return Math.max(0, all - floor - Math.max(taken, written));
}

/** Free blocks to reserve, at least those that ext4 needs itself. */
export function blocksToReserve(
  { blocks, bfree }: Pick<StatsFs, 'blocks' | 'bfree'>,
  maxWrittenBytes: number | undefined,
): number {
  const least = leastReserve(blocks);
  if (maxWrittenBytes === undefined) return least;
  return Math.max(least, Math.ceil(bfree - maxWrittenBytes / ext4BlockBytes));
}

/** Creates an image as large as the machine's disk, without allocated blocks. Returns false when that is too small. */
async function makeShared(image: string, projects: boolean): Promise<boolean> {
  const { blocks, bsize } = statfsSync(dirname(image));
  const bytes = Math.min(blocks * bsize, largestBytes);
  if (bytes < leastBytes) return false;
  const half = `${image}.new`;
  rmSync(half, { force: true });
  const plan = {
    bytes: Math.floor(bytes / mib) * mib,
    // All containers share the journal, which is larger for that reason.
    journalBytes: bytes < 8 * gib ? journalFor(bytes) : 64 * mib,
    inodes: undefined,
  };
  closeSync(openSync(half, 'wx', 0o600));
  // On btrfs each write would be copied elsewhere; other file systems lack this flag (chattr(1)).
  spawnSync('chattr', ['+C', half], { stdio: 'ignore' });
  const facts = { growsOnline: false, stateBytes: bytes, superblockCopies: 2, projects } as const;
  await makeImage(half, plan, facts);
  renameSync(half, image);
  return true;
}

/** Mounts it unless it is mounted, and returns the name of its device. */
function mountShared(image: string, directory: string): string {
  const fileFd = openSync(image, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const loop = loopOf(fileFd);
    try {
      if (!isMounted(directory)) {
        attach(loop.number, image, directory);
        discardFreeBlocks(directory);
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
 * Discards free blocks with fstrim(8). The kernel does so in a thread of its own, but not when the file system is
 * unmounted before (seen with Linux 6.18).
 */
function discardFreeBlocks(directory: string): void {
  const trim = spawn('fstrim', [directory], { env: { PATH: searchPath }, stdio: 'ignore' });
  // Without the program, or on a file system without holes in files, the space stays taken.
  trim.on('error', () => {}).unref();
}

/** Repairs with the superblock and, when that is unreadable, with its first copy (mke2fs(8), `sparse_super2`). */
function isRepaired(device: string): boolean {
  const copy = ['-b', String(groupBytes / ext4BlockBytes), '-B', String(ext4BlockBytes)];
  for (const superblock of [[], copy]) {
    // Exit status of e2fsck(8): 1 means "corrected", 8 "operational error". With -p it stops at errors that need a
    // decision.
    const { status } = spawnSync('e2fsck', ['-p', ...superblock, device], {
      env: { PATH: searchPath, LC_ALL: 'C' },
      stdio: 'ignore',
    });
    if (status !== 8) return status === 1;
  }
  return false;
}

/** Mounts with project quota when the image was created for it. */
const mountAsMade = (loopNumber: number, image: string) =>
  mountLoop(loopNumber, hasExt4Projects(image) ? [['prjquota']] : []);

/** Repairs what can be repaired without a loss. */
function mountOrRepair(loopNumber: number, image: string): number {
  try {
    return mountAsMade(loopNumber, image);
  } catch (error) {
    if (isRepaired(loopPath(loopNumber))) return mountAsMade(loopNumber, image);
    throw new CortenError(
      'unavailable',
      `the layers of containers in ${image} cannot be mounted, and an automatic repair failed. As root, run: e2fsck -f ${image}`,
      { cause: error },
    );
  }
}
