import { loopPath } from '../kernel/loop.ts';
import { newFilesystem } from '../kernel/mount.ts';

/** What is deleted inside goes back to the machine; what the kernel finds broken is not written to. */
const mountOptions = [['discard'], ['errors', 'remount-ro']] as const;

/** A detached mount of the file system on a loop device; of the same one when it is mounted already. */
export function mountLoop(number: number): number {
  return newFilesystem('ext4', mountOptions, 0, loopPath(number));
}
