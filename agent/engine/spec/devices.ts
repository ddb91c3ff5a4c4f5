/** Host devices of a container: nodes in its `/dev`, and cgroup rules that let it open them. */
import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SecuritySettings } from '../../contract/container.ts';
import type { OciDevice, OciDeviceRule } from '../../contract/oci-runtime.ts';
import { invalid } from '../../errors.ts';
import { splitDevice } from '../../kernel/files.ts';
import { defaultDeviceRules } from '../../runtime/default-spec.ts';

/**
 * Entries of the host's `/dev` that a container has of its own, or that belong to the host's
 * sessions.
 */
const notCopied = new Set([
  'pts',
  'shm',
  'fd',
  'mqueue',
  'console',
  'ptmx',
  '.lxc',
  '.lxd-mounts',
  '.udev',
]);

export interface ContainerDevices {
  nodes: OciDevice[];
  rules: OciDeviceRule[];
}

/** The devices that the request names, or all of the host's for a privileged container. */
export function devicesOf(security: SecuritySettings, hostDev = '/dev'): ContainerDevices {
  if (security.privileged)
    return {
      nodes: [
        ...nodesBelow(hostDev, '/dev'),
        ...security.devices
          .filter(({ hostPath, containerPath }) => hostPath !== containerPath)
          .flatMap(({ hostPath, containerPath }) => nodesAt(hostPath, containerPath)),
      ],
      rules: [{ allow: true, type: 'a', access: 'rwm' }],
    };
  const named = security.devices.map((device) => ({
    nodes: nodesAt(device.hostPath, device.containerPath),
    access: device.permissions,
  }));
  return {
    nodes: named.flatMap(({ nodes }) => nodes),
    rules: [
      ...defaultDeviceRules,
      ...named.flatMap(({ nodes, access }) => nodes.map((node) => ruleFor(node, access))),
      ...security.deviceRules.map(parseDeviceRule),
    ],
  };
}

/** One device, or all devices below a directory such as `/dev/snd`. */
function nodesAt(hostPath: string, containerPath: string): OciDevice[] {
  const stat = statSync(hostPath, { throwIfNoEntry: false });
  if (stat === undefined)
    throw invalid(
      `error gathering device information while adding custom device "${hostPath}": no such file or directory`,
    );
  const nodes = stat.isDirectory()
    ? nodesBelow(hostPath, containerPath)
    : [nodeOf(stat, containerPath)].filter((node) => node !== undefined);
  if (nodes.length === 0)
    throw invalid(
      `error gathering device information while adding custom device "${hostPath}": not a device node`,
    );
  return nodes;
}

function nodesBelow(hostDirectory: string, containerDirectory: string): OciDevice[] {
  return readdirSync(hostDirectory)
    .filter((name) => !notCopied.has(name))
    .flatMap((name) => {
      const [host, container] = [join(hostDirectory, name), join(containerDirectory, name)];
      // Links are skipped because their targets are listed too.
      const stat = lstatSync(host, { throwIfNoEntry: false });
      if (stat?.isDirectory()) return nodesBelow(host, container);
      return stat === undefined
        ? []
        : [nodeOf(stat, container)].filter((node) => node !== undefined);
    });
}

function nodeOf(stat: Stats, path: string): OciDevice | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  return {
    path,
    type: stat.isBlockDevice() ? 'b' : 'c',
    ...splitDevice(stat.rdev),
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

function ruleFor({ type, major, minor }: OciDevice, access: string): OciDeviceRule {
  return { allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access };
}

/** Parses a rule such as `c 1:3 rwm` (cgroup-v1/devices.rst). */
export function parseDeviceRule(rule: string): OciDeviceRule {
  const match = /^([abc]) (\d{1,7}|\*):(\d{1,7}|\*) ([rwm]{1,3})$/.exec(rule);
  if (rule === 'a' || rule === 'a *:* rwm') return { allow: true, type: 'a', access: 'rwm' };
  if (!match || match[1] === 'a') throw invalid(`invalid device cgroup rule format: '${rule}'`);
  const [, type, major, minor, access = ''] = match;
  return {
    allow: true,
    type: type === 'b' ? 'b' : 'c',
    ...(major !== '*' && { major: Number(major) }),
    ...(minor !== '*' && { minor: Number(minor) }),
    access,
  };
}
