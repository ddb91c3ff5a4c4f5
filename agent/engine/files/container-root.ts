/**
 * Opens a container's root from outside. The root of a running container is reached through its
 * init process and includes all mounts. The root of a stopped one is an overlay that is mounted
 * nowhere, which only this process sees and which ends with its descriptor.
 */
import { closeSync, statSync } from 'node:fs';
import { CortenError, notFound } from '../../errors.ts';
import { AT_FDCWD, O_PATH, openat2, openDirectory } from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type FilesystemOption, MountAttribute, newFilesystem } from '../../kernel/mount.ts';
import { mountWritable, wholeFileOptions, writableLayers } from '../../kernel/overlay.ts';
import { foreignIdMap, type IdMap } from '../../kernel/user-namespaces.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';
import type { ContainerRoot } from './container-files.ts';

export interface OpenRoot {
  fd: number;
  /**
   * The path relative to `fd`. It differs from the container's path when it lies in a volume of a
   * stopped container.
   */
  path: string;
  /** The id map of a running container with a user namespace, whose files carry host ids. */
  ids?: IdMap;
}

const { noSuid, noDev, noExec, readOnly } = MountAttribute;

/** Opens the root for reading `path`. The caller closes `fd`. */
export function openForReading(root: ContainerRoot, path: string): OpenRoot {
  if (root.process !== undefined) return { ...openRunning(root.process), path };
  const inVolume = volumePath(root, path);
  if (inVolume !== undefined) return { fd: openDirectory(inVolume.source), path: inVolume.path };
  return { fd: mountReadOnly(root.rootfs), path };
}

/** Opens the root for writing below `path`. Throws forbidden when the container is read-only. */
export function openForWriting(root: ContainerRoot, path: string): OpenRoot {
  if (root.process !== undefined) return { ...openRunning(root.process), path };
  const inVolume = volumePath(root, path);
  if (inVolume?.readOnly)
    throw new CortenError('forbidden', `the volume mounted at ${inVolume.target} is read-only`);
  if (inVolume !== undefined) return { fd: openDirectory(inVolume.source), path: inVolume.path };
  if (root.readOnlyRootfs)
    throw new CortenError('forbidden', 'container rootfs is marked read-only');
  return { fd: mountReadWrite(root), path };
}

/** Opens the root as the image and the container's writes make it, without volumes. */
export function openWithoutVolumes(root: ContainerRoot): Omit<OpenRoot, 'path'> {
  return root.process === undefined
    ? { fd: mountReadOnly(root.rootfs) }
    : openRunning(root.process);
}

/** Opens the image's root alone, with which the container's changes are compared. */
export function openImageRoot({ lowers }: Pick<ContainerRoot['rootfs'], 'lowers'>): number {
  const [only] = lowers;
  // A read-only overlay needs two layers at least.
  if (lowers.length === 1 && only !== undefined) return openDirectory(only);
  return mountOverlay(
    lowers.map((lower) => ['lowerdir+', lower] as const),
    readOnly,
  );
}

/**
 * Throws not-found once the process has ended, because its pid may then belong to another process.
 */
export function openRootOfProcess(process: ProcessHandle): number {
  return openRunning(process).fd;
}

function openRunning(process: ProcessHandle): { fd: number; ids?: IdMap } {
  let fd: number | undefined;
  let ids: IdMap | undefined;
  try {
    fd = openat2(AT_FDCWD, `/proc/${process.pid}/root`, O_PATH, 0);
    ids = foreignIdMap(process.pid);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (hasErrno(error, 'ENOENT', 'ESRCH')) throw notFound('the container has just ended', error);
    throw error;
  }
  try {
    process.signal(0);
    return { fd, ...(ids && { ids }) };
  } catch (error) {
    closeSync(fd);
    throw notFound('the container has just ended', error);
  }
}

/**
 * Mounts the layers read-only, so that reading changes nothing even while a start mounts the same
 * layers.
 */
function mountReadOnly({ upper, lowers }: ContainerRoot['rootfs']): number {
  const layers = [upper, ...lowers].map((layer) => ['lowerdir+', layer] as const);
  return mountOverlay([...layers, ...wholeFileOptions()], readOnly);
}

const mountReadWrite = ({ rootfs }: Pick<ContainerRoot, 'rootfs'>): number =>
  mountWritable(() => mountOverlay(writableLayers(rootfs), 0), rootfs.work);

function mountOverlay(options: readonly FilesystemOption[], attributes: number): number {
  return newFilesystem('overlay', options, attributes | noSuid | noDev | noExec, 'overlay');
}

/** Finds the deepest mount whose target contains `path`, and the path inside it. */
function volumePath(root: ContainerRoot, path: string) {
  const cleaned = `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
  const holders = root.mounts
    .filter((mount) => mount.type !== 'tmpfs')
    .filter(({ target }) => cleaned === target || cleaned.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length);
  const [mount] = holders;
  // A bind-mounted file cannot be a root, so the overlay shows the place below it.
  if (mount === undefined || !isDirectory(mount.source)) return undefined;
  return { ...mount, path: `/${cleaned.slice(mount.target.length + 1)}` };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Runs `use` with an opened root and closes it afterwards. */
export function withRoot<T>(root: OpenRoot, use: (root: OpenRoot) => T): T {
  try {
    return use(root);
  } finally {
    closeSync(root.fd);
  }
}
