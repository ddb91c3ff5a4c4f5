/**
 * pasta(1) connects the network namespace of an ordinary user's bridges to the machine's network: it turns packets of
 * a device there into sockets of its own. It ends with the namespace.
 */
import { spawnSync } from 'node:child_process';
import { hasErrno } from '../kernel/libc.ts';

/** Name of its device in the namespace. */
const pastaDevice = 'pasta0';

/**
 * Addresses and gateways of the namespace, which no other machine sees. By default pasta copies them from the device
 * of the default route. Then such a device must exist and have a carrier; the machine's services on its address are
 * unreachable for containers, since the namespace has that address too; and a copy without a route stays so. The
 * loopback always exists and has no MAC address to copy.
 */
const ownAddresses = [
  ...['--interface', 'lo', '--mac-addr', '9a:55:9a:55:9a:55'],
  ...['--address', '169.254.2.1', '--netmask', '16', '--gateway', '169.254.2.2'],
  ...['--address', 'fd63:6f72:7465:6e::1', '--gateway', 'fe80::1'],
];

/** Starts pasta and returns when the network is ready: `undefined`, or the reason when it does not run. */
export function startPasta(keeperPid: number, pidFile: string): string | undefined {
  const { error, status, stderr } = spawnSync(
    'pasta',
    [
      ...['--config-net', '--ns-ifname', pastaDevice, '--quiet', '--pid', pidFile],
      ...ownAddresses,
      // A process per container publishes ports (network/port-forwarder.ts), since pasta's ports are fixed at its
      // start; and containers must not reach the machine's loopback.
      ...['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw'],
      String(keeperPid),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' },
  );
  if (error !== undefined && hasErrno(error, 'ENOENT'))
    return 'pasta is missing; it connects their networks to the machine';
  if (error !== undefined) return `pasta could not be started: ${error.message}`;
  if (status === 0) return undefined;
  return `pasta could not connect their networks to the machine (${stderr.trim().replace(/\.$/, '')})`;
}
