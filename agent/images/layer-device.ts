/** Which device nodes a layer may hold. */
import { LayerError } from './layer-error.ts';
import type { TarEntry } from './tar-reader.ts';

/**
 * Those that every container gets anyway (null, zero, full, random, urandom, tty,
 * console, ptmx; virtual terminals and ptys), which plain root archives of distributions hold. Any
 * other node in an image is an attempt at the machine's devices. Numbers: kernel, devices.txt.
 */
const allowed: Record<number, (minor: number) => boolean> = {
  1: (minor) => [3, 5, 7, 8, 9].includes(minor),
  4: (minor) => minor <= 63,
  5: (minor) => minor <= 2,
  136: () => true,
};

/** Throws LayerError; 0:0 too, which overlayfs would take for a whiteout. */
export function checkDevice(entry: TarEntry): void {
  if (entry.type === 'fifo') return;
  if (entry.type === 'character' && allowed[entry.major]?.(entry.minor)) return;
  throw new LayerError(
    `the ${entry.type} device ${entry.major}:${entry.minor} is not one that an image may hold`,
    entry.name,
  );
}
