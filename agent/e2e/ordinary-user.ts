/**
 * A user of the machine who is nobody special, made without touching the machine: the files that say who
 * there is lie over the machine's in a mount namespace of the agent's own.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type AgentProcess, makeAgentDirectory, startAgent } from './agent-process.ts';

export const user = { name: 'corten-tester', uid: 4242, firstId: 300_000, ids: 65_536 };

/** Where the user's agent lives, and who the user is. */
export function makeUserDirectory(ids = user.ids): string {
  const directory = makeAgentDirectory();
  chmodSync(directory, 0o755);
  for (const name of ['root', 'run', 'home']) {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chownSync(path, user.uid, user.uid);
  }
  const machine = join(directory, 'machine');
  mkdirSync(machine);
  const { name, uid, firstId } = user;
  const add = (file: string, line: string) =>
    writeFileSync(join(machine, file), `${readFileSync(`/etc/${file}`, 'utf8')}${line}\n`);
  add('passwd', `${name}:x:${uid}:${uid}::${directory}/home:/bin/sh`);
  add('group', `${name}:x:${uid}:`);
  for (const file of ['subuid', 'subgid'])
    writeFileSync(join(machine, file), ids === 0 ? '' : `${name}:${firstId}:${ids}\n`);
  return directory;
}

export interface UserOptions {
  /** Programs that the user does not find. */
  without?: readonly string[];
  /** Whether the user has a copy of this checkout, as it is built, in `checkout` of the directory. */
  checkout?: boolean;
  /** A control group of cgroup v2 that was handed over to the user, as systemd does. */
  group?: string;
}

/** The words before a command that make it the user's. */
export function asUser(
  directory: string,
  { without = [], checkout = false, group }: UserOptions = {},
): string[] {
  const lay = [
    'for file in passwd group subuid subgid; do mount --bind "$1/machine/$file" "/etc/$file"; done',
    // Everybody's, as systemd-udevd makes it.
    'mkdir -p "$1/net" && mount -t tmpfs none "$1/net"',
    'mknod -m 666 "$1/net/tun" c 10 200 && mount --bind "$1/net" /dev/net',
    ...(checkout ? [layCheckout] : []),
    ...(group === undefined ? [] : [handOver(group)]),
    `exec setpriv --reuid ${user.uid} --regid ${user.uid} --clear-groups env HOME="$1/home" PATH="$2" "\${@:3}"`,
  ].join(' && ');
  const path =
    without.length === 0 ? '/usr/local/bin:/usr/bin:/bin' : pathWithout(directory, without);
  const own = ['unshare', '--mount', '--propagation', 'private'];
  return [...own, 'bash', '-ec', lay, 'bash', directory, path];
}

/** The user's agent. `outer`: words before all others, which are still root's. */
export function startUserAgent(
  directory: string,
  options: UserOptions = {},
  outer: readonly string[] = [],
): Promise<AgentProcess> {
  const launcher = [...outer, ...asUser(directory, options)];
  return startAgent(directory, [], launcher, 'agent/entry/as-user.ts');
}

const repository = resolve(import.meta.dirname, '../..');

/** What the user writes there is the user's alone, and nothing is copied. */
const layCheckout = [
  'mkdir -p "$1/checkout" "$1/upper" "$1/work"',
  `mount -t overlay -o lowerdir=${repository},upperdir="$1/upper",workdir="$1/work" none "$1/checkout"`,
  `chown ${user.uid}:${user.uid} "$1/checkout" "$1/checkout/dist" "$1"/checkout/dist/.[a-z]*`,
].join(' && ');

/** Whatever the machine has, the user sees cgroup v2 alone. */
const handOver = (group: string) =>
  [
    'umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup',
    `mkdir /sys/fs/cgroup/${group}`,
    `chown ${user.uid}:${user.uid} /sys/fs/cgroup/${group} /sys/fs/cgroup/${group}/cgroup.{procs,subtree_control}`,
    `echo $$ >/sys/fs/cgroup/${group}/cgroup.procs`,
  ].join(' && ');

/** A directory of links to what the agent runs, but for some. */
function pathWithout(directory: string, without: readonly string[]): string {
  const path = join(directory, 'bin');
  mkdirSync(path, { recursive: true });
  for (const program of ['newuidmap', 'newgidmap', 'nsenter', 'cat', 'tee', 'pasta'])
    if (!without.includes(program)) symlinkSync(`/usr/bin/${program}`, join(path, program));
  return path;
}
