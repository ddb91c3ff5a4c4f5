/** The files and directories inside a container's directory and inside its layer directory. */
import { mkdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { ContainerPaths } from '../paths.ts';

export interface DirectorySpec {
  name: string;
  mode: number;
}

/**
 * Modes are set explicitly so that only root can look into the state of containers
 * (CVE-2021-41091).
 */
export const privateMode = 0o700;

/**
 * The mode of `upper` is the mode of `/` inside the container, so other users there need access to
 * it.
 */
export const layerDirectories: readonly DirectorySpec[] = [
  { name: 'upper', mode: 0o755 },
  { name: 'work', mode: privateMode },
];

export const containerDirectories = ({ log, files }: ContainerPaths): DirectorySpec[] =>
  [log, files.directory].map((path) => ({ name: basename(path), mode: privateMode }));

/**
 * Empty files that are mounted over the image's own, as paths relative to the container's
 * directory.
 */
export const emptyFiles = ({ directory, files }: ContainerPaths): string[] =>
  [files.hosts, files.hostname, files.resolvConf].map((path) => relative(directory, path));

export function makeDirectory(directory: string, within: readonly DirectorySpec[]): void {
  mkdirSync(directory, { mode: privateMode });
  for (const { name, mode } of within) mkdirSync(join(directory, name), { mode });
}
