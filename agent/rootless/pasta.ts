/**
 * pasta(1), which leads from the network namespace of an ordinary user's bridges to the machine's network:
 * it turns what comes out of a device there into sockets of its own. It ends with the namespace.
 */
import { spawnSync } from 'node:child_process';
import { hasErrno } from '../kernel/libc.ts';

/** Its device in the namespace. */
const pastaDevice = 'pasta0';

/**
 * The namespace's own addresses and gateways, which no other machine sees. By default pasta copies them from the
 * device with the default route. Then there has to be one, with a carrier; what the machine has on it is
 * out of containers' reach, since the namespace has it too; and a copy without a route out stays so.
 * The loopback is the one device that is always there, and has no hardware address to take over.
 */
const ownAddresses = [
  ...['--interface', 'lo', '--mac-addr', '9a:55:9a:55:9a:55'],
  ...['--address', '169.254.2.1', '--netmask', '16', '--gateway', '169.254.2.2'],
  ...['--address', 'fd63:6f72:7465:6e::1', '--gateway', 'fe80::1'],
];

/** Undefined when it runs; else why not. Returns once the network is ready. */
export function startPasta(keeperPid: number, pidFile: string): string | undefined {
  const { error, status, stderr } = spawnSync(
    'pasta',
    [
      ...['--config-net', '--ns-ifname', pastaDevice, '--quiet', '--pid', pidFile],
      ...ownAddresses,
      // Ports are published by a process for each container (network/port-forwarder.ts), since pasta's are
      // settled at its start; and nothing on the machine's loopback is containers' business.
      ...['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw'],
      String(keeperPid),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' },
  );
  if (error !== undefined && hasErrno(error, 'ENOENT'))
    return 'pasta is missing, which connects their networks to the machine';
  if (error !== undefined) return `pasta could not be started: ${error.message}`;
  if (status === 0) return undefined;
  return `pasta could not connect their networks to the machine (${stderr.trim().replace(/\.$/, '')})`;
}
