import { computersDirectory } from '../../../agent/contract/share-wire.ts';

/** The app's paths on a remote host. It writes nothing outside of them. */
export const programDirectory = '/opt/corten';
/** A directory without this file was not made by the app, and is never changed. */
export const ownMark = '.made-by-corten';
export const stateDirectory = '/var/lib/corten';
export const runDirectory = '/run/corten';
export const unitName = 'corten-agent.service';
export const unitPath = `/etc/systemd/system/${unitName}`;
export const sshSocket = `${runDirectory}/ssh.sock`;
export const apiSocket = `${runDirectory}/docker.sock`;
export const logFile = `${runDirectory}/agent.log`;

/**
 * Where the shared folders of a computer are mounted: separate from the host's own directories and from
 * those of other computers. The id is included because two computers may have the same name.
 */
export function foldersDirectory(computer: string, id: string): string {
  const name = computer.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  return `${runDirectory}/${computersDirectory}/${name}-${id}`;
}
