/**
 * What reaches into a container's files and processes from outside; the engine finds the container
 * and these do the work (archive.ts, changes.ts, export.ts, top.ts).
 */
import type { Readable } from 'node:stream';
import type { ContainersBackend, PathStat } from '../../api/containers/backend.ts';
import type { ContainerView } from '../../contract/container.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';

/** Where a container's files are. */
export interface ContainerRoot {
  /** Its init; undefined when it does not run. */
  process: ProcessHandle | undefined;
  rootfs: ContainerView['rootfs'];
  /** Asked for with `--read-only`; a running container's mounts tell by themselves. */
  readOnlyRootfs?: boolean;
  /** The container's user, who owns what is copied in with `copyUidGid`. */
  owner?: { uid: number; gid: number };
  /** Seen at their targets, also in a container that does not run. */
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
  /** The whole root without what is mounted over it. */
  exportArchive(root: ContainerRoot): Promise<Readable>;
  /** The writable layer as one that an image can have. */
  layerArchive(root: Pick<ContainerRoot, 'rootfs'>): Promise<Readable>;
  changes(root: ContainerRoot): ReturnType<ContainersBackend['changes']>;
  /** `ps` columns for host processes `pids`, all of them in one container. */
  top(pids: readonly number[], psArguments: string): ReturnType<ContainersBackend['top']>;
}
