/** Paths of the engine's files. docs/on-disk.md lists all of them. */
import { join } from 'node:path';

export interface EnginePaths {
  /** State that survives a reboot. */
  root: string;
  /** State that ends at a reboot: the shims' run directories and sockets. */
  run: string;
}

export interface ContainerPaths {
  directory: string;
  /** The writable layer, unless it lies in a space. */
  layer: string;
  /** The space of the writable layer (agent/disk), inside the container's directory. */
  disk: string;
  /** The space of the writable layer, among the other layers. */
  layerDisk: string;
  log: string;
  files: { directory: string; hosts: string; hostname: string; resolvConf: string };
  /** The shim's run directory. */
  run: string;
}

export const databasePath = (paths: EnginePaths) => join(paths.root, 'corten.db');
export const containersDirectory = (paths: EnginePaths) => join(paths.root, 'containers');
/**
 * The directory of the writable layers, which may be a file system of its own
 * (agent/disk/shared-disk.ts).
 */
export const layersDirectory = (paths: EnginePaths) => join(paths.root, 'layers');
/** The directory prepared for the next container (agent/engine/containers/directory-pool.ts). */
export const pooledDirectoryPath = (paths: EnginePaths) => join(paths.root, 'next-container');
export const pooledLayerPath = (paths: EnginePaths) => join(layersDirectory(paths), 'next');
/** Directories that are being removed. */
export const removedDirectory = (paths: EnginePaths) => join(paths.root, 'removed');
export const removedLayersDirectory = (paths: EnginePaths) =>
  join(layersDirectory(paths), 'removed');
export const runsDirectory = (paths: EnginePaths) => join(paths.run, 'containers');
export const volumesDirectory = (paths: EnginePaths) => join(paths.root, 'volumes');
/** The directory with a disk limit, inside that of its container, layer or volume. */
export const spaceName = 'disk';
export const volumeSpace = (paths: EnginePaths, name: string) =>
  join(volumesDirectory(paths), name, spaceName);
/** A volume's content, inside its space if it has one. */
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
