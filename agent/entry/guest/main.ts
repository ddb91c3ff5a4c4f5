/**
 * The agent as a machine's first service: it reads the seed disk that the host wrote, stores its content where
 * the agent looks for it, and then runs the agent. All of this is one process, because starting Node takes most of
 * the time of a machine's start; the code is loaded while the data disk is formatted or mounted.
 */
import { pageOutProgram } from '../../kernel/free-memory.ts';
import { createMachine } from '../../machine/machine.ts';
import { main } from '../../main.ts';
import { applySeed } from './apply-seed.ts';
import { pauseCompilers, resumeCompilersLater } from './compilers.ts';
import { dataDiskMounted, findDisk, findPort } from './devices.ts';
import { trimMemoryLater } from './trim-memory.ts';

/** The image's build loads this module and prints the usage, so that V8 compiles the code. */
export { main };

const root = '/var/lib/corten';

/** packaging/vm-image/guest/load.js calls this. */
export async function start(): Promise<void> {
  pauseCompilers();
  await dataDiskMounted();
  const parameters = ['--root', root, '--run', '/run/corten'];
  const port = findPort('ssh.0');
  if (port !== undefined) parameters.push('--ssh-device', port);
  const disk = findDisk('corten-seed');
  // There is no seed when somebody boots the image by hand.
  if (disk !== undefined) parameters.push(...applySeed(disk, root));
  await main(parameters);
  resumeCompilersLater();
  const { freeMemory } = createMachine({ root });
  trimMemoryLater(() => {
    // This happens once and not before each pause, after which the first answer would wait for its pages.
    pageOutProgram();
    freeMemory();
  });
}
