/**
 * Folders of the host as sources of binds. They are looked at here and not where the rest is: the
 * agent's main thread carries the bytes of a shared folder, so that it must never wait for one.
 */
import { mkdir, stat } from 'node:fs/promises';
import type { MountSettings } from '../../contract/container.ts';
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
    if (!isShared)
      throw invalid(
        `${mount.source} is not shared with the machine. Share it, or a folder that it lies in, in Machine > Folders.`,
      );
    if (!mount.createSource)
      throw invalid(
        `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
      );
    await mkdir(mount.source, { recursive: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw invalid(`${path} cannot be reached: ${(error as Error).message}`, error);
  }
}
