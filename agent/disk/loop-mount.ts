import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { openDirectory, withFd } from '../kernel/files.ts';
import { loopPath } from '../kernel/loop.ts';
import { attachMount, type FilesystemOption, newFilesystem } from '../kernel/mount.ts';

/** What is deleted inside goes back to the machine; what the kernel finds broken is not written to. */
const mountOptions = [['discard'], ['errors', 'remount-ro']] as const;

/** A detached mount of the file system on a loop device; of the same one when it is mounted already. */
export function mountLoop(number: number, more: readonly FilesystemOption[] = []): number {
  return newFilesystem('ext4', [...mountOptions, ...more], 0, loopPath(number));
}

export function attachAt(directory: string, mountFd: number): void {
  withFd(openDirectory(directory), (target) => attachMount(mountFd, target, directory));
}

/** Whether a file system of its own is visible there. */
export function isMounted(directory: string): boolean {
  const own = statSync(directory, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== statSync(dirname(directory)).dev;
}
