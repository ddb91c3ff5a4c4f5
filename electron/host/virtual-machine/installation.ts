/** What a virtual machine keeps on this computer, and taking it away with the machine. */
import { existsSync } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installation } from '../machine/machine.ts';
import type { MachineDirectory } from './directory.ts';

export function guestInstallation({ path, run }: MachineDirectory): Installation {
  return {
    async footprint() {
      // One that never started has nothing yet.
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

/** What the files take: a disk's file has holes. Windows counts no blocks, and is asked for sizes. */
async function allocatedBytes(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(
    names.map(async (name) => {
      // It may have gone meanwhile.
      const found = await lstat(join(directory, name)).catch(() => undefined);
      if (!found?.isFile()) return 0;
      return process.platform === 'win32' ? found.size : found.blocks * 512;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
