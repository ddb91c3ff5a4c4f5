/**
 * Folders of the host as sources of binds. They are looked at here and not where the rest is: the
 * agent's main thread carries the bytes of a shared folder, so that it must never wait for one.
 */
import { mkdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MountSettings, MountView } from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';

export interface HostFolders {
  /** The shared folder that a path lies in. */
  mountOf(path: string): string | undefined;
  /** The machine is one that a person does not see into: folders they name are the host's. */
  areNeeded: boolean;
}

export const noHostFolders: HostFolders = { mountOf: () => undefined, areNeeded: false };

/** Throws invalid for a source that is not there and cannot be made, in words that say what to do. */
export async function prepareBindSources(
  folders: HostFolders,
  mounts: readonly MountSettings[],
): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== 'bind') continue;
    const isShared = folders.mountOf(mount.source) !== undefined;
    if (!isShared && !folders.areNeeded) continue;
    if (await isThere(mount.source)) continue;
    if (!isShared) throw invalid(notShared(mount.source));
    if (!mount.createSource)
      throw invalid(
        `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
      );
    await mkdir(mount.source, { recursive: true });
  }
}

/**
 * A source that the host has not brought yet, as after the machine's boot. What lies at its path
 * then is the machine's own, and a container must not have that instead.
 */
export function missingHostFolder(
  folders: HostFolders,
  mounts: readonly MountView[],
): string | undefined {
  return mounts.find(({ isOfHost, source }) => isOfHost && folders.mountOf(source) === undefined)
    ?.source;
}

export const folderPatienceMs = 10_000;
const lookAgainMs = 50;

/** For whoever starts a container while the host is still connecting. */
export async function awaitHostFolders(
  folders: HostFolders,
  mounts: readonly MountView[],
  patienceMs = folderPatienceMs,
): Promise<void> {
  const until = performance.now() + patienceMs;
  while (missingHostFolder(folders, mounts) !== undefined && performance.now() < until)
    await sleep(lookAgainMs);
}

/** Throws invalid for a container whose host folder is not here. */
export function requireHostFolders(folders: HostFolders, mounts: readonly MountView[]): void {
  const missing = missingHostFolder(folders, mounts);
  if (missing !== undefined) throw invalid(notShared(missing));
}

const notShared = (path: string) =>
  `${path} is not shared with the machine. Share it, or a folder that it lies in, in Machine > Folders.`;

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw invalid(`${path} cannot be reached: ${(error as Error).message}`, error);
  }
}
