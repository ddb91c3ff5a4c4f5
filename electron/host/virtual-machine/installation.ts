/** The files of a virtual machine on this computer, and their removal. */
import { existsSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from '../machine/machine.ts';
import type { MachineDirectory } from './directory.ts';

export function guestInstallation({ path, run }: MachineDirectory): Installation {
  return {
    async footprint() {
      // A machine that was never started has no directory.
      const items = existsSync(path)
        ? [{ part: 'state' as const, path, sizeBytes: await allocatedBytes(path) }]
        : [];
      return { items, runningContainers: 0 };
    },
    async remove({ state }) {
      await rm(run, { recursive: true, force: true });
      if (state) await rm(path, { recursive: true, force: true });
    },
  };
}

/** Counts allocated blocks, because a disk's file has holes. Windows reports no blocks, so sizes are used there. */
async function allocatedBytes(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(
    names.map(async (name) => {
      // The file may have been removed since it was listed.
      const found = await lstat(join(directory, name)).catch(() => undefined);
      if (!found?.isFile()) return 0;
      return process.platform === 'win32' ? found.size : found.blocks * 512;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
