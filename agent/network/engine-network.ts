/**
 * Where bridges and rules are: in the machine's own network, or, without root, in a namespace of the
 * agent's, from which pasta leads to the machine's.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { KernelError } from '../kernel/libc.ts';
import { NetlinkFamily, openNetlink } from '../kernel/netlink.ts';
import { socketsOf } from '../kernel/network-visit.ts';

export interface EngineNetwork {
  /** Undefined: the machine's own network. */
  readonly namespaceFd: number | undefined;
  openNetlink(family: number): number;
  /** A command line that runs `command` there. */
  commandLine(command: readonly string[]): readonly [string, ...string[]];
  readSetting(path: string): string;
  writeSetting(path: string, value: string): void;
  /** Bound sockets, listening for TCP; undefined where whoever asks makes them itself. */
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

/** As many as createNetworks opens. */
const netlinkSockets = [
  NetlinkFamily.route,
  NetlinkFamily.route,
  NetlinkFamily.netfilter,
  NetlinkFamily.netfilter,
] as const;

/** The caller keeps the descriptor open. */
export async function openEngineNetwork(namespaceFd: number): Promise<EngineNetwork> {
  const fds = await socketsOf(
    namespaceFd,
    netlinkSockets.map((family) => ({ kind: 'netlink', family })),
  );
  const left = netlinkSockets.map((family, index) => ({ family, fd: fds[index] ?? -1 }));
  const commandLine: EngineNetwork['commandLine'] = (command) => [
    'nsenter',
    // The number alone would be another file in the program that is started.
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
    // Settings of the network are those of whoever opens the file.
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
