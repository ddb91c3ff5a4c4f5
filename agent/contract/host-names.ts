/**
 * By these names a container reaches the computer that people sit at: this machine itself, or the one
 * around it when this machine is a virtual one.
 */
export const hostNames: readonly string[] = ['host.corten.internal', 'host.docker.internal'];
