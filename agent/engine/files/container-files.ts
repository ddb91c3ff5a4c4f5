/**
 * Reads and writes a container's files and processes from outside. The engine finds the container;
 * archive.ts, changes.ts, export.ts and top.ts do the work.
 */
import type { Readable } from 'node:stream';
import type { ContainersBackend, PathStat } from '../../api/containers/backend.ts';
import type { ContainerView } from '../../contract/container.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';

/** The places of a container's files. */
export interface ContainerRoot {
  /** The init process. Undefined when the container does not run. */
  process: ProcessHandle | undefined;
  rootfs: ContainerView['rootfs'];
  /** Set by `--read-only`. For a running container the mounts themselves show it. */
  readOnlyRootfs?: boolean;
  /** The container's user, who becomes the owner of files copied in with `copyUidGid`. */
  owner?: { uid: number; gid: number };
  /** The container's mounts, which are shown at their targets even while it does not run. */
  mounts: ContainerView['mounts'];
}

type ArchiveOptions = Parameters<ContainersBackend['writeArchive']>[3];

export interface ContainerFiles {
  statPath(root: ContainerRoot, path: string): Promise<PathStat>;
  readArchive(root: ContainerRoot, path: string): Promise<{ stat: PathStat; archive: Readable }>;
  writeArchive(
    root: ContainerRoot,
    path: string,
    archive: Readable,
    options: ArchiveOptions,
  ): Promise<void>;
  /** Archives the whole root without the mounts over it. */
  exportArchive(root: ContainerRoot): Promise<Readable>;
  /** Archives the writable layer in the form of an image layer. */
  layerArchive(root: Pick<ContainerRoot, 'rootfs'>): Promise<Readable>;
  changes(root: ContainerRoot): ReturnType<ContainersBackend['changes']>;
  /** `ps` columns for the host processes `pids`, all of them of one container. */
  top(pids: readonly number[], psArguments: string): ReturnType<ContainersBackend['top']>;
}
