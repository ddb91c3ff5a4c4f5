/**
 * One file system for the writable layers of all containers that have no limit of their own, where the state file
 * system holds no directory to a limit: ext4 in a sparse file on a loop device, mounted where the layers lie. All of
 * them together leave the machine a floor (docs/decisions/0019): what the machine has beyond it may be written, and the
 * rest is kept back, from root too, as what the machine has left changes.
 *
 * It stays mounted while a container runs, with or without an agent.
 */
import { execFileSync, spawn } from 'node:child_process';
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
import { ext4BlockBytes, reserveExt4Blocks } from '../kernel/ext4.ts';
import { loopOf } from '../kernel/loop.ts';
import { detachMount } from '../kernel/mount.ts';
import { makeImage, searchPath } from './loop-image.ts';
import { attachAt, isMounted, mountLoop } from './loop-mount.ts';
import { bytesPerInode, leastReserve } from './loop-plan.ts';

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
  if (!existsSync(image)) {
    if (!options.isWanted) return undefined;
    try {
      if (!(await makeShared(image))) return undefined;
      // What cannot be mounted here, in a container without loop devices, say, is of no use.
      mountShared(image, directory);
    } catch (error) {
      rmSync(image, { force: true });
      report('make a disk for the layers of all containers', error);
      return undefined;
    }
  }
  const device = mountShared(image, directory);
  const round = () => {
    try {
      const machine = statfsSync(dirname(image));
      const taken = statSync(image).blocks * 512;
      keepBack(device, statfsSync(directory), leavesFloor ? mayTake(machine, taken) : undefined);
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

/** Beside what they have: an eighth of all that layers could have stays the machine's. */
export function mayTake(machine: Pick<StatsFs, 'bavail' | 'bsize'>, takenBytes: number): number {
  const freeBytes = machine.bavail * machine.bsize;
  const floor = Math.min((freeBytes + takenBytes) * floorShare, mostFloorBytes);
  return Math.max(0, Math.floor(freeBytes - floor));
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

function keepBack(device: string, shared: StatsFs, mayTakeBytes: number | undefined): void {
  reserveExt4Blocks(device, blocksToKeep(shared, mayTakeBytes));
}

/** As large as the machine's disk, in a file without blocks. False where that is too small. */
async function makeShared(image: string): Promise<boolean> {
  const { blocks, bsize } = statfsSync(dirname(image));
  const bytes = Math.min(blocks * bsize, largestBytes);
  if (bytes < leastBytes) return false;
  const half = `${image}.new`;
  rmSync(half, { force: true });
  const plan = {
    bytes: Math.floor(bytes / mib) * mib,
    journalBytes: bytes < 8 * gib ? 16 * mib : 64 * mib,
    inodes: Math.floor(bytes / bytesPerInode),
  };
  await makeImage(half, plan, { growsOnline: false, stateBytes: bytes });
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

/** What can be put right without a loss is; else nothing is changed. */
function mountOrRepair(loopNumber: number, image: string): number {
  try {
    return mountLoop(loopNumber);
  } catch (error) {
    try {
      execFileSync('e2fsck', ['-p', `/dev/loop${loopNumber}`], {
        env: { PATH: searchPath, LC_ALL: 'C' },
        stdio: 'ignore',
      });
      return mountLoop(loopNumber);
    } catch {
      throw new CortenError(
        'unavailable',
        `the containers' layers in ${image} cannot be mounted, and nothing was changed in it. As root, run: e2fsck -f ${image}`,
        { cause: error },
      );
    }
  }
}
