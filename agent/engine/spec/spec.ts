/** Builds the OCI spec from the container's settings. */
import { existsSync } from 'node:fs';
import type { ContainerSettings, NamespaceChoice } from '../../contract/container.ts';
import type {
  OciDeviceRule,
  OciLinux,
  OciNamespaceType,
  OciSpec,
} from '../../contract/oci-runtime.ts';
import { lastGroupId } from '../../kernel/user-namespaces.ts';
import {
  defaultMaskedPaths,
  defaultReadonlyPaths,
  ociVersion,
} from '../../runtime/default-spec.ts';
import { devicesOf } from './devices.ts';
import { type MountInput, mountsOf, rootPropagationOf } from './mounts.ts';
import { type ProcessInput, processOfContainer, seccompOf } from './process.ts';

/**
 * `settings` and `process` have the image's defaults applied. `join` holds the path of every
 * namespace that belongs to another container (`/proc/<pid>/ns/net`).
 */
export interface SpecInput extends ProcessInput, MountInput {
  join: Partial<Record<OciNamespaceType, string>>;
  userNamespace?: UserNamespace;
}

/** A user namespace of the container's own with these host ids, or that of another container. */
export type UserNamespace =
  | { range: { first: number; length: number } }
  | { path: string; range?: { first: number; length: number } };

export interface BuiltSpec {
  spec: OciSpec;
  /** Device rules for the cgroup, which are not part of the spec. */
  deviceRules: OciDeviceRule[];
}

export function buildSpec(input: SpecInput): BuiltSpec {
  const { settings, hostname } = input;
  const devices = devicesOf(settings.security);
  const ownsName = settings.namespaces.uts === 'private';
  const spec: OciSpec = {
    ociVersion,
    process: processOfContainer(input),
    root: { path: 'rootfs', readonly: settings.readOnlyRootfs },
    ...(ownsName && { hostname }),
    ...(ownsName && settings.domainname && { domainname: settings.domainname }),
    mounts: mountsOf(input),
    linux: {
      namespaces: namespacesOf(input),
      ...idMappings(input),
      devices: devices.nodes,
      ...hiddenPaths(settings),
      sysctl: sysctlsOf(settings),
      ...seccompPart(settings),
      ...propagationPart(input),
    },
  };
  return { spec, deviceRules: devices.rules };
}

function namespacesOf({ settings, join, userNamespace }: SpecInput): OciLinux['namespaces'] {
  const { pid, ipc, uts, cgroup } = settings.namespaces;
  const chosen: [OciNamespaceType, NamespaceChoice][] = [
    ['mount', 'private'],
    ['pid', pid],
    ['ipc', ipc],
    ['uts', uts],
    ['network', networkChoice(settings)],
    ['cgroup', cgroup],
  ];
  const user: OciLinux['namespaces'] =
    userNamespace === undefined
      ? []
      : [{ type: 'user', ...('path' in userNamespace && { path: userNamespace.path }) }];
  const others: OciLinux['namespaces'] = chosen
    .filter(([, choice]) => choice !== 'host')
    .map(([type, choice]) => {
      if (typeof choice === 'string') return { type };
      const path = join[type];
      if (path === undefined)
        throw new Error(`no path was given for the ${type} namespace of ${choice.container}`);
      return { type, path };
    });
  return [...others, ...user];
}

function idMappings({ userNamespace }: SpecInput): Pick<OciLinux, 'uidMappings' | 'gidMappings'> {
  if (userNamespace?.range === undefined) return {};
  const { first, length } = userNamespace.range;
  const mappings = [{ containerID: 0, hostID: first, size: length }];
  return { uidMappings: mappings, gidMappings: mappings };
}

function networkChoice({ network: { mode } }: ContainerSettings): NamespaceChoice {
  if (mode === 'host') return 'host';
  return typeof mode === 'object' && 'container' in mode ? mode : 'private';
}

/**
 * The masked and read-only paths. A privileged container has none unless the request lists them.
 */
export function hiddenPaths({
  security,
}: ContainerSettings): Pick<OciLinux, 'maskedPaths' | 'readonlyPaths'> {
  const { privileged, maskedPaths, readonlyPaths } = security;
  return {
    maskedPaths: maskedPaths ?? (privileged ? [] : defaultMaskedPaths()),
    readonlyPaths: readonlyPaths ?? (privileged ? [] : [...defaultReadonlyPaths]),
  };
}

/**
 * Inside its own network namespace a container may bind every port and ping without a capability
 * (moby's defaults since 20.10).
 */
const ownNetworkSysctls = (): Record<string, string> => ({
  'net.ipv4.ip_unprivileged_port_start': '0',
  // The kernel's largest value is 2147483647.
  'net.ipv4.ping_group_range': `0 ${Math.min(2147483647, lastGroupId())}`,
});

function sysctlsOf(settings: ContainerSettings): Record<string, string> {
  const own = networkChoice(settings) === 'private' ? Object.entries(ownNetworkSysctls()) : [];
  // A kernel without IPv4 has neither file.
  const known = own.filter(([name]) => isKnown(name));
  return { ...Object.fromEntries(known), ...settings.sysctls };
}

/** The sysctls that this kernel was found to have. */
const knownSysctls = new Set<string>();

function isKnown(name: string): boolean {
  const known = knownSysctls.has(name) || existsSync(`/proc/sys/${name.replaceAll('.', '/')}`);
  if (known) knownSysctls.add(name);
  return known;
}

function seccompPart(settings: ContainerSettings): Pick<OciLinux, 'seccomp'> {
  const seccomp = seccompOf(settings);
  return seccomp === undefined ? {} : { seccomp };
}

function propagationPart({ mounts }: SpecInput): Pick<OciLinux, 'rootfsPropagation'> {
  const rootfsPropagation = rootPropagationOf(mounts);
  return rootfsPropagation === undefined ? {} : { rootfsPropagation };
}
