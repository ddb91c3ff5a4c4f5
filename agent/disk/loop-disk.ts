/**
 * Spaces are file systems of their own: ext4 in a sparse file beside the space, on a loop device.
 *
 * The file system of a container is mounted nowhere on the machine. This process gets a detached mount of it, the
 * launcher puts that under the container's overlay in the container's mount namespace, and from then on only the
 * overlay holds it: when the container ends, the kernel unmounts it and frees the device, with or without an agent.
 * Only volumes are attached at their path.
 *
 * One file must never be on two devices at once, which would be two file systems that overwrite each other. Therefore
 * an existing device is looked for before one is bound: all of this is synchronous, one agent works on a state
 * directory, and devices of an earlier agent are found at the start.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';
import { CortenError, conflict } from '../errors.ts';
import { ext4BlockBytes, growExt4, readExt4Counts, reserveExt4Blocks } from '../kernel/ext4.ts';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  bindLoop,
  boundLoops,
  fileOf,
  growLoop,
  type LoopFile,
  type OpenLoop,
  openLoopOf,
} from '../kernel/loop.ts';
import { detachMount } from '../kernel/mount.ts';
import type { DiskDriver, MakeSpace, OpenSpace, SpaceDirectory } from './disk.ts';
import { type ImageForm, LoopImages } from './loop-image.ts';
import { attachAt, isMounted, mountLoop } from './loop-mount.ts';
import { imageBytes, leastReserve, ownInodes, type PlanFacts, planImage } from './loop-plan.ts';
import { LoopPool, type PooledImage, releaseMount } from './loop-pool.ts';

export interface LoopOptions extends PlanFacts {
  /** Work directory for mkfs, which is emptied here. */
  workDirectory: string;
  /** Whether overlayfs accepts layers from a detached mount (Linux 6.15). */
  detachedLayers: boolean;
  /** Gets errors of background work. */
  report: (error: unknown) => void;
}

const keepReadyMs = 60_000;

export const imageOf = (space: string) => `${space}.ext4`;

export class LoopDisk implements DiskDriver {
  readonly kind = 'loop';
  readonly freeOfCost = false;
  readonly #options: LoopOptions;
  readonly #images: LoopImages;
  readonly #pool: LoopPool;
  /** Pooled images that became spaces and were not opened yet. */
  readonly #ready = new Map<string, PooledImage & { timer: NodeJS.Timeout }>();
  /** Device of each file's last binding, which is verified before use. */
  readonly #devices: Map<string, number>;

  constructor(options: LoopOptions) {
    this.#options = options;
    rmSync(options.workDirectory, { recursive: true, force: true });
    mkdirSync(options.workDirectory, { recursive: true, mode: 0o700 });
    this.#images = new LoopImages(options.workDirectory, options);
    this.#pool = new LoopPool({ directory: options.workDirectory, report: options.report });
    this.#devices = new Map(boundLoops().map(({ number, file }) => [keyOf(file), number]));
  }

  async prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace> {
    const form = await this.#images.prepare(planImage(limits, this.#options), directories);
    this.#pool.want(form);
    return (space) => {
      mkdirSync(space, { mode: 0o700 });
      try {
        this.#fill(space, form);
      } catch (error) {
        rmSync(space, { recursive: true, force: true });
        throw error;
      }
      this.#pool.want(form);
    };
  }

  open(space: string, limits: DiskLimits): OpenSpace {
    const mountFd = this.#takeReady(space, limits) ?? this.#openMount(space, limits);
    if (this.#options.detachedLayers)
      return {
        path: `/proc/self/fd/${mountFd}`,
        mountFd,
        close: () => releaseMount(mountFd),
      };
    return this.#openAttached(space, mountFd);
  }

  /** Attaches the mount while it is open, for kernels whose overlayfs needs attached layers. */
  #openAttached(space: string, mountFd: number): OpenSpace {
    try {
      attachAt(space, mountFd);
    } finally {
      closeSync(mountFd);
    }
    return { path: space, mountFd: undefined, close: () => detachMount(space) };
  }

  attach(space: string, limits: DiskLimits): void {
    if (isMounted(space)) return;
    const mountFd = this.#takeReady(space, limits) ?? this.#openMount(space, limits);
    try {
      attachAt(space, mountFd);
    } finally {
      closeSync(mountFd);
    }
  }

  detach(space: string): void {
    if (isMounted(space)) detachMount(space);
  }

  check(space: string, before: DiskLimits, after: DiskLimits): void {
    refuseOtherInodes(before, after);
    this.#growthFor(this.#counts(space, before).blocks, after);
  }

  update(space: string, before: DiskLimits, after: DiskLimits): void {
    refuseOtherInodes(before, after);
    const mounted = this.#mount(imageOf(space), before);
    try {
      this.#growFor(space, after, mounted);
      reserveBlocks(mounted, after);
    } finally {
      closeSync(mounted.mountFd);
      this.#release(mounted);
    }
  }

  usage(space: string, limits: DiskLimits): SpaceUsage {
    const counts = this.#counts(space, limits);
    const bytes = (blocks: number) => blocks * ext4BlockBytes;
    return {
      usedBytes: bytes(counts.blocks - counts.freeBlocks),
      maxBytes: limits.maxBytes ?? undefined,
      usedInodes: counts.inodes - counts.freeInodes - ownInodes,
      maxInodes: counts.inodes - ownInodes,
      inodesAreFixed: true,
    };
  }

  /** Counts of a mounted file system are exact; for others the superblock is enough, and nothing is mounted. */
  #counts(space: string, limits: DiskLimits) {
    const image = imageOf(space);
    const loop = withFd(openSync(image, 'r'), (fd) => this.#boundTo(fd));
    if (loop === undefined) return readExt4Counts(image);
    closeSync(loop.fd);
    const mounted = this.#mount(imageOf(space), limits);
    try {
      const { blocks, bfree, files, ffree } = statfsSync(`/proc/self/fd/${mounted.mountFd}`);
      return { blocks, freeBlocks: bfree, inodes: files, freeInodes: ffree };
    } finally {
      closeSync(mounted.mountFd);
      this.#release(mounted);
    }
  }

  async remove(space: string): Promise<void> {
    this.detach(space);
    this.#forgetReady(space);
    this.#removeImage(imageOf(space));
    await rm(space, { recursive: true, force: true });
  }

  close(): void {
    this.#pool.close();
    for (const space of [...this.#ready.keys()]) this.#forgetReady(space);
  }

  #fill(space: string, form: ImageForm): void {
    const spare = this.#pool.take(form);
    if (spare === undefined) {
      form.write(imageOf(space));
      return;
    }
    try {
      renameSync(spare.image, imageOf(space));
      const { dev, ino } = statSync(imageOf(space), { bigint: true });
      this.#devices.set(keyOf({ device: dev, inode: ino }), spare.loopNumber);
    } catch (error) {
      releaseMount(spare.mountFd);
      throw error;
    }
    // Most containers start at once. Otherwise the device is released, and the start mounts the file again.
    const timer = setTimeout(() => this.#forgetReady(space), keepReadyMs).unref();
    this.#ready.set(space, { ...spare, timer });
  }

  #takeReady(space: string, limits: DiskLimits): number | undefined {
    const ready = this.#ready.get(space);
    if (ready === undefined) return undefined;
    this.#ready.delete(space);
    clearTimeout(ready.timer);
    try {
      reserveBlocks(ready, limits);
      return ready.mountFd;
    } catch (error) {
      releaseMount(ready.mountFd);
      throw error;
    }
  }

  #forgetReady(space: string): void {
    const ready = this.#ready.get(space);
    if (ready === undefined) return;
    this.#ready.delete(space);
    clearTimeout(ready.timer);
    releaseMount(ready.mountFd);
  }

  /** Renames the image now and frees its blocks in the background. The sweep at the next start removes leftovers. */
  #removeImage(image: string): void {
    const doomed = join(this.#options.workDirectory, `removed-${randomUUID()}`);
    try {
      renameSync(image, doomed);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      throw error;
    }
    rm(doomed, { force: true }).catch(this.#options.report);
  }

  /** A detached mount that is the only reference to its file system. */
  #openMount(space: string, limits: DiskLimits): number {
    const { mountFd, ...rest } = this.#mount(imageOf(space), limits);
    this.#release(rest);
    return mountFd;
  }

  /** A detached mount, of the same file system if it is mounted already; otherwise its limit is set now. */
  #mount(image: string, limits: DiskLimits): Mounted {
    const fileFd = openImage(image);
    try {
      const loop = this.#boundTo(fileFd) ?? this.#bind(fileFd);
      try {
        const mountFd = mountLoop(loop.number);
        const mounted = { fileFd, loop, loopNumber: loop.number, mountFd };
        try {
          reserveBlocks(mounted, limits);
          return mounted;
        } catch (error) {
          closeSync(mountFd);
          throw error;
        }
      } catch (error) {
        closeSync(loop.fd);
        throw error;
      }
    } catch (error) {
      closeSync(fileFd);
      throw error;
    }
  }

  /** Closes the descriptors: the mount holds the device, and the device its file. */
  #release({ fileFd, loop }: Pick<Mounted, 'fileFd' | 'loop'>): void {
    closeSync(loop.fd);
    closeSync(fileFd);
  }

  #boundTo(fileFd: number): OpenLoop | undefined {
    const file = fileOf(fileFd);
    const number = this.#devices.get(keyOf(file));
    return number === undefined ? undefined : openLoopOf(number, file);
  }

  #bind(fileFd: number): OpenLoop {
    const loop = bindLoop(fileFd);
    this.#devices.set(keyOf(fileOf(fileFd)), loop.number);
    return loop;
  }

  #growFor(space: string, limits: DiskLimits, { loop, mountFd }: Mounted): void {
    const wanted = this.#growthFor(blocksOf(mountFd), limits);
    if (wanted === undefined) return;
    const bytes = imageBytes(wanted, this.#options);
    truncateSync(imageOf(space), bytes);
    growLoop(loop);
    growExt4(mountFd, bytes);
  }

  /**
   * Bytes that the file system must grow to; `undefined` when it is large enough. Throws conflict when it cannot
   * grow.
   */
  #growthFor(blocks: number, limits: DiskLimits): number | undefined {
    const { stateBytes, growsOnline } = this.#options;
    // Not limited means the size of the machine's disk, or the present size when it cannot grow.
    const wanted = limits.maxBytes ?? (growsOnline ? stateBytes : 0);
    const usable = (blocks - leastReserve(blocks)) * ext4BlockBytes;
    if (wanted <= usable) return undefined;
    const why = growsOnline
      ? limits.maxInodes && 'more space would be more inodes than its limit'
      : 'this agent lacks CAP_SYS_RESOURCE, which it needs to grow a mounted file system';
    if (why)
      throw conflict(
        `the limit can be raised to ${usable} bytes, not to ${wanted}: ${why}. Recreate the container or volume with that limit`,
      );
    return wanted;
  }
}

interface Mounted {
  fileFd: number;
  loop: OpenLoop;
  loopNumber: number;
  mountFd: number;
}

function refuseOtherInodes(before: DiskLimits, after: DiskLimits): void {
  if ((after.maxInodes ?? null) !== (before.maxInodes ?? null))
    throw conflict(
      'the number of inodes of a file system is fixed when it is made, and this machine has no project quota: recreate the container or volume with that inode limit',
    );
}

const keyOf = ({ device, inode }: LoopFile) => `${device}:${inode}`;

function openImage(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new CortenError('internal', `${path} is missing: what was written there is lost`, {
        cause: error,
      });
    throw error;
  }
}

const blocksOf = (mountFd: number) => statfsSync(`/proc/self/fd/${mountFd}`).blocks;

/** Reserves the blocks beyond the limit, which then nobody can use. */
function reserveBlocks(
  { loopNumber, mountFd }: Pick<Mounted, 'loopNumber' | 'mountFd'>,
  { maxBytes }: DiskLimits,
): void {
  const blocks = blocksOf(mountFd);
  const beyond =
    maxBytes === undefined || maxBytes === null ? 0 : blocks - Math.ceil(maxBytes / ext4BlockBytes);
  reserveExt4Blocks(`loop${loopNumber}`, Math.max(beyond, leastReserve(blocks)));
}
