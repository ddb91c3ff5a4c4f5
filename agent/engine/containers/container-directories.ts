/** What lies in the directory of each container, and in that of its layer, or the space that it is in (layer.ts). */
import { mkdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { ContainerPaths } from '../paths.ts';

export interface DirectorySpec {
  name: string;
  mode: number;
}

/** Modes by number: nobody but root looks into the state of containers (CVE-2021-41091). */
export const privateMode = 0o700;

/** The upper directory's mode is that of the container's `/`; nobody looks into the other. */
export const layerDirectories: readonly DirectorySpec[] = [
  { name: 'upper', mode: 0o755 },
  { name: 'work', mode: privateMode },
];

export const containerDirectories = ({ log, files }: ContainerPaths): DirectorySpec[] =>
  [log, files.directory].map((path) => ({ name: basename(path), mode: privateMode }));

/** Empty ones for what is mounted over the image's, by their paths in the container's directory. */
export const emptyFiles = ({ directory, files }: ContainerPaths): string[] =>
  [files.hosts, files.hostname, files.resolvConf].map((path) => relative(directory, path));

export function makeDirectory(directory: string, within: readonly DirectorySpec[]): void {
  mkdirSync(directory, { mode: privateMode });
  for (const { name, mode } of within) mkdirSync(join(directory, name), { mode });
}
