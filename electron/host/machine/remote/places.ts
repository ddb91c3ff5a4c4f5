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
