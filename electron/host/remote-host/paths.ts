import { computersDirectory } from '../../../agent/contract/share-wire.ts';

/** Where things are on a remote host. Nothing outside of these is ever written. */
export const programDirectory = '/opt/corten';
/** A directory of that name without this file in it was not made by the app. */
export const ownMark = '.made-by-corten';
export const stateDirectory = '/var/lib/corten';
export const runDirectory = '/run/corten';
export const unitName = 'corten-agent.service';
export const unitPath = `/etc/systemd/system/${unitName}`;
export const sshSocket = `${runDirectory}/ssh.sock`;
export const apiSocket = `${runDirectory}/docker.sock`;
export const logFile = `${runDirectory}/agent.log`;

/**
 * Where the folders of a computer are there: never over the host's own ones, and each computer's apart.
 * The id is known to that computer alone, where two may have one name.
 */
export function foldersDirectory(computer: string, id: string): string {
  const name = computer.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  return `${runDirectory}/${computersDirectory}/${name}-${id}`;
}
