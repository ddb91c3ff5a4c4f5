/**
 * The agent as a machine's first service: takes what the host wrote on the seed disk, puts it where
 * the agent looks, and becomes the agent. In one process, because starting Node is most of the time
 * that a machine takes to start; all of it is loaded while the data disk is made or mounted.
 */
import { pageOutProgram } from '../kernel/free-memory.ts';
import { createMachine } from '../machine/machine.ts';
import { main } from '../main.ts';
import { applySeed } from './apply-seed.ts';
import { restCompilers, startCompilersLater } from './compilers.ts';
import { dataDiskMounted, findDisk, findPort } from './devices.ts';
import { settleLater } from './settle.ts';

/** For the image's build, which loads all this and asks for the usage. */
export { main };

const root = '/var/lib/corten';

/** What vm-image/guest/load.js calls. */
export async function start(): Promise<void> {
  restCompilers();
  await dataDiskMounted();
  const words = ['--root', root, '--run', '/run/corten'];
  const port = findPort('ssh.0');
  if (port !== undefined) words.push('--ssh-device', port);
  const disk = findDisk('corten-seed');
  // A person may start the image by hand, without a host that knows seeds.
  if (disk !== undefined) words.push(...applySeed(disk, root));
  await main(words);
  startCompilersLater();
  const { freeMemory } = createMachine({ root });
  settleLater(() => {
    // Not at each pause, after which the first answer would wait for the pages that it needs again.
    pageOutProgram();
    freeMemory();
  });
}
