/** The mounts of an exec operation: which trees, caches, secrets and sockets its process gets, and what becomes of them. */
import { posix } from 'node:path';
import { CortenError, invalid } from '../../errors.ts';
import { CacheSharingOpt, type Mount, MountType } from '../llb/ops.ts';
import {
  type CacheMount,
  type CacheSharing,
  type MutableSnapshot,
  type Snapshot,
  scratch,
} from '../snapshots/snapshot.ts';
import type { StepContext, StepOutputs } from './step.ts';
import type { StepMount, StepRequest } from './step-runner.ts';

/** The `output` of a mount that no later operation sees, and the `input` of one that begins empty. */
const none = -1;

const sharings: Record<CacheSharingOpt, CacheSharing> = {
  [CacheSharingOpt.SHARED]: 'shared',
  [CacheSharingOpt.PRIVATE]: 'private',
  [CacheSharingOpt.LOCKED]: 'locked',
};

export class ExecMounts {
  readonly mounts: StepMount[] = [];
  isRootReadOnly = false;
  readonly #context: StepContext;
  readonly #workingDirectory: string;
  #root: MutableSnapshot | undefined;
  readonly #outputs: (MutableSnapshot | Snapshot)[] = [];
  readonly #written: MutableSnapshot[] = [];
  /** By their id, since a locked one that is mounted twice must not wait for itself. */
  readonly #caches = new Map<string, CacheMount>();

  private constructor(context: StepContext, workingDirectory: string) {
    this.#context = context;
    this.#workingDirectory = workingDirectory;
  }

  /** Throws invalid for mounts that make no sense, not-found for a secret or an ssh agent that the client lacks. */
  static async open(
    context: StepContext,
    mounts: readonly Mount[],
    workingDirectory: string,
  ): Promise<ExecMounts> {
    const opened = new ExecMounts(context, workingDirectory);
    try {
      for (const mount of mounts) await opened.#add(mount);
      if (opened.#root === undefined) throw invalid('the operation has no root mount');
    } catch (error) {
      await opened.close();
      throw error;
    }
    // What lies inside another mount is mounted after it.
    opened.mounts.sort((one, other) => (one.target < other.target ? -1 : 1));
    return opened;
  }

  get rootfs(): StepRequest['rootfs'] {
    if (this.#root === undefined) throw new Error('the root is not mounted yet');
    const { lowers, upper, work } = this.#root;
    return { lowers, upper, work };
  }

  /** The results, in the order of the mounts that have one. */
  async commit(): Promise<StepOutputs> {
    const outputs: Snapshot[] = [];
    for (const output of this.#outputs)
      outputs.push('commit' in output ? await output.commit() : output);
    return outputs;
  }

  /** Discards what was not committed. */
  async close(): Promise<void> {
    for (const cache of this.#caches.values()) cache.release();
    for (const written of this.#written) await written.discard();
  }

  async #add(mount: Mount): Promise<void> {
    const { dest, mountType } = mount;
    if (dest === '/' && mountType !== MountType.BIND)
      throw invalid(`invalid mount type ${MountType[mountType]} for /`);
    if (mountType === MountType.BIND) await this.#addTree(mount);
    else if (mountType === MountType.CACHE) await this.#addCache(mount);
    else if (mountType === MountType.TMPFS) this.#addTmpfs(mount);
    else if (mountType === MountType.SECRET) await this.#addSecret(mount);
    else if (mountType === MountType.SSH) await this.#addSsh(mount);
    else throw invalid(`mount type ${mountType} is not supported`);
  }

  async #addTree(mount: Mount): Promise<void> {
    const { dest, readonly, selector, output } = mount;
    const snapshot = this.#inputOf(mount);
    const hasOutput = Number(output) !== none;
    const isRoot = dest === '/';
    if (isRoot && posix.resolve('/', selector) !== '/')
      throw invalid(`the root cannot be a part (${selector}) of a tree`);
    if (!isRoot && readonly) {
      if (hasOutput) this.#outputs.push(snapshot);
      this.#push(mount, { kind: 'tree', snapshot, selector });
      return;
    }
    // Changes that nobody asks for go to a layer all the same, which is discarded.
    const written = await this.#context.snapshots.begin(snapshot);
    this.#written.push(written);
    if (hasOutput) this.#outputs.push(written);
    if (isRoot) {
      this.#root = written;
      this.isRootReadOnly = readonly;
    } else {
      const writable = { upper: written.upper, work: written.work };
      this.#push(mount, { kind: 'tree', snapshot, selector, writable });
    }
  }

  async #addCache(mount: Mount): Promise<void> {
    const { cacheOpt, selector, dest, output } = mount;
    if (cacheOpt === undefined) throw invalid(`missing cache mount options of ${dest}`);
    const snapshot = this.#inputOf(mount);
    const beginning = snapshot.layers.map(({ id }) => id).join(',');
    const id = beginning === '' ? cacheOpt.ID : `${cacheOpt.ID}:${beginning}`;
    const sharing = sharings[cacheOpt.sharing];
    if (sharing === undefined) throw invalid(`invalid cache sharing option: ${cacheOpt.sharing}`);
    const { snapshots, signal } = this.#context;
    const cache = this.#caches.get(id) ?? (await snapshots.cacheMount(id, sharing, signal));
    this.#caches.set(id, cache);
    const { directory, work } = cache;
    if (Number(output) !== none && Number(mount.input) !== none) this.#outputs.push(snapshot);
    if (beginning === '') this.#push(mount, { kind: 'directory', path: directory, selector });
    else
      this.#push(mount, { kind: 'tree', snapshot, selector, writable: { upper: directory, work } });
  }

  #addTmpfs(mount: Mount): void {
    const size = Number(mount.TmpfsOpt?.size ?? 0);
    this.#push(mount, { kind: 'tmpfs', ...(size > 0 && { sizeBytes: size }) });
  }

  async #addSecret(mount: Mount): Promise<void> {
    const { secretOpt: options } = mount;
    if (options === undefined) throw invalid('invalid secret mount options');
    if (options.ID === '') throw invalid('secret ID missing from mount options');
    const content = await this.#context.job.client.secret(options.ID);
    if (content !== undefined) {
      const { uid, gid, mode } = options;
      const file = { kind: 'file', content, uid, gid, mode: mode & 0o777 } as const;
      this.mounts.push({ target: this.#target(mount), readOnly: true, ...file });
    } else if (!options.optional)
      throw new CortenError('not-found', `secret ${options.ID}: not found`);
  }

  async #addSsh(mount: Mount): Promise<void> {
    const { SSHOpt: options } = mount;
    if (options === undefined) throw invalid('invalid SSH mount options');
    const { client } = this.#context.job;
    try {
      // Asked once, so that a missing agent is told now and not by a command that cannot log in.
      (await client.sshAgent(options.ID)).destroy();
    } catch (error) {
      if (!(error instanceof CortenError && error.kind === 'not-found')) throw error;
      if (options.optional) return;
      throw new CortenError('not-found', `no SSH key "${options.ID}" forwarded from the client`, {
        cause: error,
      });
    }
    const { uid, gid, mode } = options;
    this.#push(mount, {
      kind: 'socket',
      ...{ uid, gid, mode: mode & 0o777 },
      connect: () => client.sshAgent(options.ID),
    });
  }

  #push(mount: Mount, what: DistributiveOmit<StepMount, 'target' | 'readOnly'>): void {
    this.mounts.push({ target: this.#target(mount), readOnly: mount.readonly, ...what });
  }

  #target({ dest }: Mount): string {
    return posix.resolve('/', this.#workingDirectory, dest);
  }

  #inputOf({ input, dest }: Mount): Snapshot {
    const index = Number(input);
    if (index === none) return scratch;
    const snapshot = this.#context.inputs[index];
    if (snapshot === undefined) throw invalid(`the mount of ${dest} has no input ${index}`);
    return snapshot;
  }
}

/** Omit of each member of a union by itself. */
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
