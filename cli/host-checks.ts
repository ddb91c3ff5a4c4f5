/** What a Linux host has of what the engine uses, read from proc(5), sysfs(5) and the PATH; nothing is changed. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Check {
  what: string;
  /** `missing` is needed; `limited` leaves one ability out. */
  status: 'ok' | 'limited' | 'missing';
  found: string;
  /** What to do; empty where nothing is to be done. */
  fix: string;
}

/** Where the host's files are, and the user; for tests. */
export interface Host {
  root: string;
  path: string;
  user: { uid: number; name: string };
  kernel: string;
  freeBytes: number;
}

const leastFreeBytes = 2 * 1024 ** 3;

export function checkHost(host: Host = thisHost()): Check[] {
  return [
    kernel(host),
    cgroups(host),
    filesystem(host, 'overlay', 'missing'),
    namespace(
      host,
      'user',
      'limited',
      'Containers cannot be root in a user namespace of their own.',
    ),
    namespace(host, 'net', 'missing', 'Use a kernel with CONFIG_NET_NS.'),
    program(host, 'nft', 'missing', 'Install it: apt-get install nftables.'),
    subordinateIds(host),
    kvm(host),
    disk(host),
  ];
}

function thisHost(): Host {
  const { uid, username: name } = userInfo();
  const { bavail, bsize } = statfsSync('/var');
  return {
    root: '/',
    path: process.env.PATH ?? '',
    user: { uid, name },
    kernel: release(),
    freeBytes: bavail * bsize,
  };
}

function kernel({ kernel: found }: Host): Check {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const isNewEnough = major > 5 || (major === 5 && minor >= 12);
  return {
    what: 'Linux 5.12 or newer',
    status: isNewEnough ? 'ok' : 'missing',
    found,
    fix: 'Update the kernel: mount_setattr(2) is needed.',
  };
}

function cgroups({ root }: Host): Check {
  const what = 'control groups';
  const v2 = join(root, 'sys/fs/cgroup/cgroup.controllers');
  const needed = ['cpu', 'memory', 'pids'];
  const inV2 = existsSync(v2) ? readFileSync(v2, 'utf8').trim().split(/\s+/) : [];
  if (needed.every((name) => inV2.includes(name)))
    return { what, status: 'ok', found: `v2: ${inV2.join(', ')}`, fix: '' };
  const inV1 = needed.filter((name) => existsSync(join(root, 'sys/fs/cgroup', name)));
  const missing = needed.filter((name) => !inV1.includes(name));
  if (missing.length === 0) return { what, status: 'ok', found: `v1: ${inV1.join(', ')}`, fix: '' };
  const fix = 'Boot with systemd.unified_cgroup_hierarchy=1, or enable the controllers.';
  return { what, status: 'missing', found: `without ${missing.join(', ')}`, fix };
}

function filesystem({ root }: Host, name: string, otherwise: Check['status']): Check {
  const known = readText(join(root, 'proc/filesystems')).split(/\s+/).includes(name);
  return {
    what: `file system ${name}`,
    status: known ? 'ok' : otherwise,
    found: known ? 'in the kernel' : 'not in /proc/filesystems',
    fix: `Load it: modprobe ${name}.`,
  };
}

function namespace({ root }: Host, name: string, otherwise: Check['status'], fix: string): Check {
  const most = readText(join(root, `proc/sys/user/max_${name}_namespaces`)).trim();
  const has = existsSync(join(root, `proc/self/ns/${name}`)) && most !== '0';
  const found = has ? `at most ${most}` : 'switched off';
  return { what: `${name} namespaces`, status: has ? 'ok' : otherwise, found, fix };
}

function program({ path }: Host, name: string, otherwise: Check['status'], fix: string): Check {
  const found = [...path.split(delimiter), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, name))
    .find(isExecutable);
  const status = found === undefined ? otherwise : 'ok';
  return { what: `program ${name}`, status, found: found ?? 'not found', fix };
}

/** newuidmap(1): an ordinary user's engine needs ids of its own. */
function subordinateIds({ root, user }: Host): Check {
  const what = 'subordinate ids';
  if (user.uid === 0) return { what, status: 'ok', found: 'not needed by root', fix: '' };
  const has = ['subuid', 'subgid'].every((file) =>
    readText(join(root, 'etc', file))
      .split('\n')
      .some((line) => line.startsWith(`${user.name}:`) || line.startsWith(`${user.uid}:`)),
  );
  const fix = `Run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.name}`;
  return { what, status: has ? 'ok' : 'missing', found: has ? 'in subuid(5)' : 'none', fix };
}

function kvm({ root }: Host): Check {
  const has = existsSync(join(root, 'dev/kvm'));
  return {
    what: 'hardware virtualization',
    status: has ? 'ok' : 'limited',
    found: has ? '/dev/kvm' : 'no /dev/kvm',
    fix: 'Virtual machines are slow without it; switch it on in the firmware. This computer’s own engine needs none.',
  };
}

function disk({ freeBytes }: Host): Check {
  const found = `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free`;
  const status = freeBytes >= leastFreeBytes ? 'ok' : 'limited';
  return { what: 'disk space', status, found, fix: 'Free some: `docker system prune`.' };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Absent is the same as empty here.
    return '';
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
