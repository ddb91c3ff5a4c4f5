/** Explains why a port of this computer cannot be listened on, and what to do about it. */
import type { OutsideFailure } from '../../../agent/contract/outside-ports.ts';
import { portOwner } from './port-owner.ts';

export interface PortPlace {
  protocol: 'tcp' | 'udp';
  hostAddress: string;
  hostPort: number;
}

const firstOrdinaryPort = 1024;

export async function explainListen(
  { protocol, hostAddress, hostPort }: PortPlace,
  error: NodeJS.ErrnoException,
): Promise<OutsideFailure> {
  const port = `${protocol} port ${hostPort}`;
  switch (error.code) {
    case 'EADDRINUSE': {
      const owner = (await portOwner(protocol, hostPort)) ?? 'another program';
      return {
        kind: 'taken',
        cause: `${owner} has ${port} of this computer`,
        nextStep: 'stop it, or publish on another port',
      };
    }
    case 'EACCES':
      return { kind: 'other', ...forbidden(port, hostPort) };
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return {
        kind: 'other',
        cause: `this computer has no address ${hostAddress}`,
        nextStep: 'publish on one that it has, on 127.0.0.1, or without an address',
      };
    default:
      return {
        kind: 'other',
        cause: `${port} of this computer cannot be opened: ${error.message}`,
        nextStep: 'publish on another port',
      };
  }
}

function forbidden(port: string, hostPort: number): Pick<OutsideFailure, 'cause' | 'nextStep'> {
  if (process.platform === 'win32')
    return {
      cause: `Windows keeps ${port} for itself`,
      nextStep:
        'publish on another port; "netsh interface ipv4 show excludedportrange protocol=tcp" lists those that are kept',
    };
  const cause = `${port} of this computer is only for the administrator (those below ${firstOrdinaryPort} are)`;
  const other = `publish on a port from ${firstOrdinaryPort} on`;
  return process.platform === 'linux'
    ? {
        cause,
        nextStep: `${other}, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=${hostPort}`,
      }
    : { cause, nextStep: `${other}, or on every address instead of one` };
}
