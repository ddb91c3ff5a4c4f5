/**
 * A descriptor of a container's root, from outside. A running container's is reached through its
 * init, with everything that is mounted in it; a stopped one's is an overlay of our own that is
 * attached nowhere, so nobody else ever sees it and it ends with its descriptor.
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
  /** The path within `fd`; differs from the container's own when it lies in a stopped one's volume. */
  path: string;
  /** Of a running container with a user namespace, whose files show ids outside. */
  ids?: IdMap;
}

const { noSuid, noDev, noExec, readOnly } = MountAttribute;

/** For reading `path`. The caller closes `fd`. */
export function openForReading(root: ContainerRoot, path: string): OpenRoot {
  if (root.process !== undefined) return { ...openRunning(root.process), path };
  const inVolume = volumePath(root, path);
  if (inVolume !== undefined) return { fd: openDirectory(inVolume.source), path: inVolume.path };
  return { fd: mountReadOnly(root.rootfs), path };
}

/** For writing below `path`. Throws forbidden where the container's owner asked for read-only. */
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

/** The root itself as the image and the container's writes make it, without volumes. */
export function openWithoutVolumes(root: ContainerRoot): Omit<OpenRoot, 'path'> {
  return root.process === undefined
    ? { fd: mountReadOnly(root.rootfs) }
    : openRunning(root.process);
}

/** The image alone: what the container's changes are compared with. */
export function openImageRoot({ lowers }: ContainerRoot['rootfs']): number {
  const [only] = lowers;
  // An overlay needs two layers when nothing is written to it.
  if (lowers.length === 1 && only !== undefined) return openDirectory(only);
  return mountOverlay(
    lowers.map((lower) => ['lowerdir+', lower] as const),
    readOnly,
  );
}

/** Throws not-found once it has ended: its number may by then be any other process's. */
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

/** As layers only: reading cannot change anything, not even while a start mounts the same layers. */
function mountReadOnly({ upper, lowers }: ContainerRoot['rootfs']): number {
  const layers = [upper, ...lowers].map((layer) => ['lowerdir+', layer] as const);
  return mountOverlay([...layers, ...wholeFileOptions()], readOnly);
}

const mountReadWrite = ({ rootfs }: Pick<ContainerRoot, 'rootfs'>): number =>
  mountWritable(() => mountOverlay(writableLayers(rootfs), 0), rootfs.work);

function mountOverlay(options: readonly FilesystemOption[], attributes: number): number {
  return newFilesystem('overlay', options, attributes | noSuid | noDev | noExec, 'overlay');
}

/** The deepest mount whose target holds `path`, with the path inside it. */
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
  // A single file that is bound in cannot be a root; the overlay shows the place under it.
  if (mount === undefined || !isDirectory(mount.source)) return undefined;
  return { ...mount, path: `/${cleaned.slice(mount.target.length + 1)}` };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Runs `use` with an opened root and closes it whatever happens. */
export function withRoot<T>(root: OpenRoot, use: (root: OpenRoot) => T): T {
  try {
    return use(root);
  } finally {
    closeSync(root.fd);
  }
}
