/** What lies in the directory of each container: its layer's, unless they are in a space (layer.ts), and its own. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ContainerPaths } from '../paths.ts';

export interface OwnDirectory {
  name: string;
  mode: number;
}

/** Modes by number: nobody but root looks into the state of containers (CVE-2021-41091). */
export const ownMode = 0o700;

/** The upper directory's mode is that of the container's `/`; nobody looks into the other. */
export const layerDirectories: readonly OwnDirectory[] = [
  { name: 'upper', mode: 0o755 },
  { name: 'work', mode: ownMode },
];

export const ownDirectories = ({ log, files }: ContainerPaths): OwnDirectory[] =>
  [log, files.directory].map((path) => ({ name: basename(path), mode: ownMode }));

export function makeWithin(directory: string, wanted: readonly OwnDirectory[]): void {
  for (const { name, mode } of wanted) mkdirSync(join(directory, name), { mode });
}
