/** Where the engine keeps things; docs/on-disk.md lists every one of them. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export interface EnginePaths {
  /** State that outlives the machine's restart. */
  root: string;
  /** What ends with the machine: shims' run directories and sockets. */
  run: string;
}

export interface ContainerPaths {
  directory: string;
  /** The writable layer, unless it lies in a space. */
  layer: string;
  /** The space of the writable layer, when it has one (agent/disk): here, */
  disk: string;
  /** or among the layers. */
  layerDisk: string;
  log: string;
  files: { directory: string; hosts: string; hostname: string; resolvConf: string };
  /** The shim's run directory. */
  run: string;
}

export const databasePath = (paths: EnginePaths) => join(paths.root, 'corten.db');
export const containersDirectory = (paths: EnginePaths) => join(paths.root, 'containers');
/** Writable layers, unless they lie in a space elsewhere; it may be a file system of their own (agent/disk/shared-disk.ts). */
export const layersDirectory = (paths: EnginePaths) => join(paths.root, 'layers');
/** What the next container will have (agent/engine/containers/directory-pool.ts). */
export const pooledDirectoryPath = (paths: EnginePaths) => join(paths.root, 'next-container');
export const pooledLayerPath = (paths: EnginePaths) => join(layersDirectory(paths), 'next');
/** What is on its way out. */
export const removedDirectory = (paths: EnginePaths) => join(paths.root, 'removed');
export const removedLayersDirectory = (paths: EnginePaths) =>
  join(layersDirectory(paths), 'removed');
export const runsDirectory = (paths: EnginePaths) => join(paths.run, 'containers');
export const volumesDirectory = (paths: EnginePaths) => join(paths.root, 'volumes');
/** A limited place in the directory of its container, layer or volume. */
export const spaceName = 'disk';
export const volumeSpace = (paths: EnginePaths, name: string) =>
  join(volumesDirectory(paths), name, spaceName);
/** A volume's content: in its space when it has one. */
export const volumeData = (paths: EnginePaths, name: string, limited: boolean) =>
  join(limited ? volumeSpace(paths, name) : join(volumesDirectory(paths), name), volumeDataName);
export const volumeDataName = '_data';

export function containerPaths(paths: EnginePaths, id: string): ContainerPaths {
  const directory = join(containersDirectory(paths), id);
  const layer = join(layersDirectory(paths), id);
  const files = join(directory, 'files');
  return {
    directory,
    layer,
    disk: join(directory, spaceName),
    layerDisk: join(layer, spaceName),
    log: join(directory, 'log'),
    files: {
      directory: files,
      hosts: join(files, 'hosts'),
      hostname: join(files, 'hostname'),
      resolvConf: join(files, 'resolv.conf'),
    },
    run: join(runsDirectory(paths), id),
  };
}

/** The run directory of one exec. */
export const execRunDirectory = (paths: EnginePaths, container: string, exec: string) =>
  join(containerPaths(paths, container).run, 'exec', exec);

/**
 * A short name for one state root, so that what two agents make in the kernel (cgroups, bridges,
 * nft tables) never has the same name.
 */
export function rootTag(root: string): string {
  return createHash('sha256').update(root).digest('hex').slice(0, 6);
}
