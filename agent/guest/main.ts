/**
 * The agent as a machine's first service: takes what the host wrote on the seed disk, puts it where
 * the agent looks, and becomes the agent. In one process, because starting Node is most of the time
 * that a machine takes to start; all of it is loaded while the data disk is made or mounted.
 */
import { argv } from 'node:process';
import { applySeed } from './apply-seed.ts';
import { startCompilersLater } from './compilers.ts';
import { dataDiskMounted, findDisk, findPort } from './devices.ts';

const root = '/var/lib/corten';

const { main } = await import('../main.ts');
await dataDiskMounted();
argv.push('--root', root, '--run', '/run/corten');
const port = findPort('ssh.0');
if (port !== undefined) argv.push('--ssh-device', port);
const disk = findDisk('corten-seed');
// A person may start the image by hand, without a host that knows seeds.
if (disk !== undefined) argv.push(...applySeed(disk, root));
await main(argv.slice(2));
startCompilersLater();
