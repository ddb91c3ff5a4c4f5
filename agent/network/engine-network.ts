/**
 * The network namespace of bridges and rules: the machine's own, or, without root, one of the agent's own, which
 * pasta connects to the machine's.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { KernelError } from '../kernel/libc.ts';
import { NetlinkFamily, openNetlink } from '../kernel/netlink.ts';
import { socketsOf } from '../kernel/network-visit.ts';

export interface EngineNetwork {
  /** Undefined for the machine's own network namespace. */
  readonly namespaceFd: number | undefined;
  openNetlink(family: number): number;
  /** Command line that runs `command` in this network namespace (nsenter(1)). */
  commandLine(command: readonly string[]): readonly [string, ...string[]];
  readSetting(path: string): string;
  writeSetting(path: string, value: string): void;
  /** Binds a UDP and a TCP socket, and listens; undefined when the caller must create them itself. */
  listen(address: string, port: number): Promise<{ udpFd: number; tcpFd: number }> | undefined;
}

export const hostNetwork: EngineNetwork = {
  namespaceFd: undefined,
  openNetlink,
  commandLine: ([program = '', ...words]) => [program, ...words],
  readSetting: (path) => readFileSync(path, 'utf8'),
  writeSetting: (path, value) => writeFileSync(path, value),
  listen: () => undefined,
};

/** Protocols of the sockets that createNetworks opens. */
const netlinkSockets = [
  NetlinkFamily.route,
  NetlinkFamily.route,
  NetlinkFamily.netfilter,
  NetlinkFamily.netfilter,
] as const;

/** Opens a network namespace by its descriptor, which the caller must keep open. */
export async function openEngineNetwork(namespaceFd: number): Promise<EngineNetwork> {
  const fds = await socketsOf(
    namespaceFd,
    netlinkSockets.map((family) => ({ kind: 'netlink', family })),
  );
  const left = netlinkSockets.map((family, index) => ({ family, fd: fds[index] ?? -1 }));
  const commandLine: EngineNetwork['commandLine'] = (command) => [
    'nsenter',
    // In the started program the bare descriptor number would mean another file.
    `--net=/proc/${process.pid}/fd/${namespaceFd}`,
    '--',
    ...command,
  ];
  return {
    namespaceFd,
    openNetlink: (wanted) => {
      const index = left.findIndex(({ family }) => family === wanted);
      const [socket] = index < 0 ? [] : left.splice(index, 1);
      if (socket === undefined) throw new Error(`no netlink socket of family ${wanted} is left`);
      return socket.fd;
    },
    commandLine,
    // Files below /proc/sys/net belong to the network namespace of the process that opens them.
    readSetting: (path) => run(commandLine(['cat', path])),
    writeSetting: (path, value) => void run(commandLine(['tee', path]), value),
    listen: async (address, port) => {
      const wanted = (protocol: 'tcp' | 'udp') =>
        ({ kind: 'listen', protocol, address, port }) as const;
      const [udpFd = -1, tcpFd = -1] = await socketsOf(namespaceFd, [wanted('udp'), wanted('tcp')]);
      return { udpFd, tcpFd };
    },
  };
}

function run([program, ...words]: readonly [string, ...string[]], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { input, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status === 0) return stdout;
  const path = words.at(-1);
  if (/No such file/.test(stderr)) throw new KernelError('open', 2, path);
  throw new Error(`${[program, ...words].join(' ')}: ${stderr.trim()}`);
}
