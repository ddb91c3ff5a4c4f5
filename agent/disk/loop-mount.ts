import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { openDirectory, withFd } from '../kernel/files.ts';
import { loopPath } from '../kernel/loop.ts';
import { attachMount, type FilesystemOption, newFilesystem } from '../kernel/mount.ts';

/** Deleted blocks are discarded from the file, and a file system with errors becomes read-only. */
const mountOptions = [['discard'], ['errors', 'remount-ro']] as const;

/** A detached mount of the file system on a loop device, which may be mounted already. */
export function mountLoop(number: number, more: readonly FilesystemOption[] = []): number {
  return newFilesystem('ext4', [...mountOptions, ...more], 0, loopPath(number));
}

export function attachAt(directory: string, mountFd: number): void {
  withFd(openDirectory(directory), (target) => attachMount(mountFd, target, directory));
}

/** Whether a file system is mounted at the directory. */
export function isMounted(directory: string): boolean {
  const own = statSync(directory, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== statSync(dirname(directory)).dev;
}
