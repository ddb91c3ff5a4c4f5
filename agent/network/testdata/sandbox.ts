/**
 * A private machine for network tests: the test's main thread moves into a network namespace of its
 * own, so that even the "host" side touches nothing real. Containers and neighbours are more
 * namespaces, kept by descriptors alone.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { patienceMs } from '../../e2e/patience.ts';
import { libcCall } from '../../kernel/libc.ts';
import { NetlinkFamily, openNetlink } from '../../kernel/netlink.ts';

const CLONE_NEWNET = 0x40000000;
const unshareCall = libcCall('unshare', ['int']);
const setnsCall = libcCall('setns', ['int', 'int']);

const openSelf = () => openSync('/proc/thread-self/ns/net', 'r');

/** Call once, first: sockets and children of this process then live in the private machine. */
export function enterPrivateMachine(): void {
  unshareCall('network', CLONE_NEWNET);
  command('ip link set lo up');
}

export interface TestNamespace {
  networkFd: number;
  netlinkFd: number;
  /** Runs a shell line inside and returns its output; throws with stderr when it fails. */
  run(line: string): string;
  /** The same for something that may fail: undefined then. */
  tries(line: string): string | undefined;
  /** The same while this thread goes on: for what the test's own process answers. */
  asks(line: string): Promise<string>;
  /** Starts a server inside; stop it by the function returned. */
  start(line: string): () => void;
  close(): void;
}

export function makeNamespace(): TestNamespace {
  const home = openSelf();
  unshareCall('network', CLONE_NEWNET);
  const networkFd = openSelf();
  const netlinkFd = openNetlink(NetlinkFamily.route);
  setnsCall('network', home, CLONE_NEWNET);
  closeSync(home);
  const enter = `exec 2>&1; exec nsenter --net=/proc/${process.pid}/fd/${networkFd} sh -c`;
  const inside = (line: string) => `${enter} '${line.replaceAll("'", "'\\''")}'`;
  return {
    networkFd,
    netlinkFd,
    run: (line) => command(inside(line)),
    tries: (line) => attempt(inside(line)).output,
    asks: (line) =>
      new Promise((resolve) => {
        execFile('sh', ['-c', inside(line)], { timeout: patienceMs / 3 }, (_error, stdout) =>
          resolve(stdout.trim()),
        );
      }),
    start: (line) => serve(inside(line)),
    close: () => {
      closeSync(networkFd);
      closeSync(netlinkFd);
    },
  };
}

export function command(line: string): string {
  const { output, complaint } = attempt(line);
  if (output === undefined) throw new Error(`${line}: ${complaint}`);
  return output;
}

export const tries = (line: string) => attempt(line).output;

/** Runs a server on the machine itself; stop it by the function returned. */
export function serve(line: string): () => void {
  const child = spawn('sh', ['-c', line], { stdio: 'ignore', detached: true });
  return () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
}

function attempt(line: string): { output: string | undefined; complaint: string } {
  const result = spawnSync('sh', ['-c', line], { encoding: 'utf8', timeout: patienceMs / 3 });
  return {
    output: result.status === 0 ? result.stdout.trim() : undefined,
    complaint: `${result.stdout}${result.stderr}`.trim(),
  };
}
