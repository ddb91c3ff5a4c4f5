/** {@link ContainerFiles} on this machine. */
import { readArchive, statPath, writeArchive } from './archive.ts';
import { changes } from './changes.ts';
import type { ContainerFiles } from './container-files.ts';
import { exportArchive } from './export.ts';
import { top } from './top.ts';

export const localFiles: ContainerFiles = {
  statPath,
  readArchive,
  writeArchive,
  exportArchive,
  changes,
  top,
};
