/** Checks the device nodes of a layer. */
import { LayerError } from './layer-error.ts';
import type { TarEntry } from './tar-reader.ts';

/**
 * Devices that every container gets anyway (null, zero, full, random, urandom, tty, console, ptmx, virtual terminals
 * and ptys), which root archives of distributions contain. Any other node in an image could reach the machine's
 * devices. The numbers are those of the kernel's devices.txt.
 */
const allowed: Record<number, (minor: number) => boolean> = {
  1: (minor) => [3, 5, 7, 8, 9].includes(minor),
  4: (minor) => minor <= 63,
  5: (minor) => minor <= 2,
  136: () => true,
};

/** Throws LayerError for any other device, including 0:0, which overlayfs would take for a whiteout. */
export function checkDevice(entry: TarEntry): void {
  if (entry.type === 'fifo') return;
  if (entry.type === 'character' && allowed[entry.major]?.(entry.minor)) return;
  throw new LayerError(
    `the ${entry.type} device ${entry.major}:${entry.minor} is not one that an image may hold`,
    entry.name,
  );
}
