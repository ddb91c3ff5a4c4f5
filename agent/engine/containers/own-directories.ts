/** What lies in the directory of each container, and in that of its layer, or the space that it is in (layer.ts). */
import { mkdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
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

/** Empty ones for what is mounted over the image's, by their paths in the container's directory. */
export const ownFiles = ({ directory, files }: ContainerPaths): string[] =>
  [files.hosts, files.hostname, files.resolvConf].map((path) => relative(directory, path));

export function makeDirectory(directory: string, within: readonly OwnDirectory[]): void {
  mkdirSync(directory, { mode: ownMode });
  for (const { name, mode } of within) mkdirSync(join(directory, name), { mode });
}
