/**
 * Fills `/dev` with the six default nodes, the requested ones and the usual links. Each node is
 * opened again without following links and compared before anything else is done to it
 * (CVE-2026-41579, CVE-2026-47766). The launcher's umask is 0, so mknod's mode is final.
 */
import { constants, fstatSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { OciDevice } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import {
  AT_FDCWD,
  lchownat,
  makeDirectoriesInRoot,
  mknodat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  Resolve,
  splitDevice,
  symlinkat,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { attachMount, cloneMount } from '../kernel/mount.ts';
import { type IdMap, inUserNamespace, outsideId } from '../kernel/user-namespaces.ts';

const node = (name: string, major: number, minor: number): OciDevice => ({
  path: `/dev/${name}`,
  type: 'c',
  major,
  minor,
  fileMode: 0o666,
});

/** config-linux.md, "Default Devices". */
const defaultDevices: readonly OciDevice[] = [
  node('null', 1, 3),
  node('zero', 1, 5),
  node('full', 1, 7),
  node('random', 1, 8),
  node('urandom', 1, 9),
  node('tty', 5, 0),
];

const links: readonly (readonly [name: string, target: string])[] = [
  ['ptmx', 'pts/ptmx'],
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
];

const typeBits: Record<OciDevice['type'], number> = {
  c: constants.S_IFCHR,
  u: constants.S_IFCHR,
  b: constants.S_IFBLK,
  p: constants.S_IFIFO,
};

/** Makes the default nodes and links. */
export function fillNewDev(devFd: number): void {
  for (const device of defaultDevices) makeDevice(devFd, posix.basename(device.path), device);
  for (const [name, target] of links) makeLink(devFd, name, target);
}

export function fillDev(rootFd: number): void {
  withFd(makeDirectoriesInRoot(rootFd, '/dev'), fillNewDev);
}

/**
 * `ids` is the container's id map, which translates the devices' owners (config-linux.md,
 * "Devices").
 */
export function addDevices(rootFd: number, devices: readonly OciDevice[], ids?: IdMap): void {
  for (const device of devices) {
    const path = posix.normalize(`/${device.path}`);
    const name = posix.basename(path);
    // Callers that list all host devices name it too. Inside it is the link to the container's own
    // ptmx.
    if (path === '/dev/ptmx') continue;
    if (name === '') throw invalid(`invalid device path "${device.path}"`);
    withFd(makeDirectoriesInRoot(rootFd, posix.dirname(path)), (parent) =>
      makeDevice(parent, name, device, ids),
    );
  }
}

function makeLink(directoryFd: number, name: string, target: string): void {
  try {
    symlinkat(target, directoryFd, name);
  } catch (error) {
    // A mount of the spec, such as a bind mount on /dev/ptmx, is there already.
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

function makeDevice(parentFd: number, name: string, device: OciDevice, ids?: IdMap): void {
  const mode = typeBits[device.type] | (device.fileMode ?? 0o666);
  try {
    mknodat(parentFd, name, mode, device.major, device.minor);
  } catch (error) {
    // In a user namespace no device node can be made, so the host's is bind-mounted.
    if (hasErrno(error, 'EPERM') && inUserNamespace()) bindDevice(parentFd, name, device);
    // The node exists. The check below accepts it only if it is the same device.
    else if (!hasErrno(error, 'EEXIST')) throw error;
  }
  withFd(openat2(parentFd, name, O_PATH | O_NOFOLLOW, Resolve.beneath), (fd) => {
    verify(fd, device);
    if (inUserNamespace() && device.type !== 'p') return;
    if (device.uid !== undefined || device.gid !== undefined)
      lchownat(
        fd,
        '',
        outsideId(ids, 'uids', device.uid ?? 0),
        outsideId(ids, 'gids', device.gid ?? 0),
      );
  });
}

/**
 * Bind-mounts the host's node, which keeps its owner and mode. The kernel tells its path, since the
 * path inside may differ.
 */
function bindDevice(parentFd: number, name: string, device: OciDevice): void {
  const path = devicePath(device);
  withFd(openat2(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0), (source) => {
    verify(source, device);
    mknodat(parentFd, name, constants.S_IFREG | 0o600);
    withFd(openat2(parentFd, name, O_PATH | O_NOFOLLOW, Resolve.beneath), (target) =>
      withFd(cloneMount(source, false, path), (tree) => attachMount(tree, target, name)),
    );
  });
}

/** `DEVNAME` of the device's uevent (Documentation/ABI/testing/sysfs-uevent) is its path below /dev. */
function devicePath({ type, major, minor, path }: OciDevice): string {
  const uevent = `/sys/dev/${type === 'b' ? 'block' : 'char'}/${major}:${minor}/uevent`;
  try {
    const name = /^DEVNAME=(.+)$/m.exec(readFileSync(uevent, 'utf8'))?.[1];
    return name === undefined ? path : `/dev/${name}`;
  } catch {
    // Without sysfs or such a device the host's node at the same path is used, if it is that
    // device.
    return path;
  }
}

function verify(fd: number, device: OciDevice): void {
  const { mode, rdev } = fstatSync(fd);
  const { major, minor } = splitDevice(rdev);
  const same = device.type === 'p' || (major === device.major && minor === device.minor);
  if ((mode & constants.S_IFMT) !== typeBits[device.type] || !same)
    throw invalid(
      `${device.path} exists in the container and is not the device that was asked for`,
    );
}

/** Bind-mounts the terminal on `/dev/console`, on a new file that is no link (CVE-2025-52565). */
export function bindConsole(rootFd: number, slaveFd: number): void {
  withFd(makeDirectoriesInRoot(rootFd, '/dev'), (dev) => {
    try {
      mknodat(dev, 'console', constants.S_IFREG | 0o600);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    withFd(openat2(dev, 'console', O_PATH | O_NOFOLLOW, Resolve.beneath), (target) =>
      withFd(cloneMount(slaveFd, false, 'terminal'), (tree) =>
        attachMount(tree, target, 'console'),
      ),
    );
  });
}
