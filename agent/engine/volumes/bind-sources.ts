/**
 * Host folders as bind sources. They are read asynchronously here, because the main thread carries
 * the bytes of a shared folder and must never block on one.
 */
import { mkdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MountSettings, MountView } from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';

export interface HostFolders {
  /** The shared folder that contains the path, if any. */
  mountOf(path: string): string | undefined;
  /**
   * Whether bind sources are folders of the host, as in a VM whose file system the user does not
   * see.
   */
  areNeeded: boolean;
}

export const noHostFolders: HostFolders = { mountOf: () => undefined, areNeeded: false };

/** Checks the sources and makes missing ones. Throws invalid with what to do. */
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
 * A shared folder that the host has not connected yet, as after a boot. Until then the machine's
 * own directory lies at its path, which the container must not get.
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

/** Waits a while for host folders, because the host may still be connecting. */
export async function awaitHostFolders(
  folders: HostFolders,
  mounts: readonly MountView[],
  patienceMs = folderPatienceMs,
): Promise<void> {
  const until = performance.now() + patienceMs;
  while (missingHostFolder(folders, mounts) !== undefined && performance.now() < until)
    await sleep(lookAgainMs);
}

/** Throws invalid when a host folder of the container is not connected. */
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
