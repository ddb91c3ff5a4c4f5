/** Turns facts into report items, each with a stable id and a sentence about its effect. */
import type {
  CapabilityFact,
  ControlGroupFact,
  IdentityFact,
  KernelPathFact,
  MountFact,
  NamespaceFact,
  PrivilegeFact,
  ResourceLimitFact,
} from '../../contract/isolation.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';
import { idInside } from '../../kernel/process-status.ts';
import { capabilityNames, defaultCapabilities } from '../../runtime/capabilities.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { capabilityMeanings } from './capability-meanings.data.ts';
import { namespaceMeanings } from './namespace-meanings.data.ts';
import type { RequestedIsolation } from './requested.ts';
import { requestedMount, samePlace } from './requested-mount.ts';
import { resourceLimits } from './resource-limits.data.ts';
import type { CapabilitySet, IsolationView } from './view.ts';

export function describeNamespaces(
  { namespaces }: IsolationView,
  nameOf: (id: string) => string,
): NamespaceFact[] {
  return namespaces.map(({ sharedWith, ...rest }) => ({
    id: `namespace.${rest.type}.${rest.scope}`,
    ...rest,
    sharedWith: sharedWith.map((id) => ({ id, name: nameOf(id) })),
    meaning: namespaceMeanings[rest.type][rest.scope],
  }));
}

const controllerMeanings: Readonly<Record<string, string>> = {
  cpu: 'How much CPU time it can take from everything else.',
  cpuset: 'Which CPUs and memory nodes it can run on.',
  memory: 'How much memory it can take; beyond that its own processes are ended, nobody else’s.',
  pids: 'How many processes and threads it can have, so that it cannot fill the machine with them.',
  io: 'How fast it can read and write disks.',
  devices: 'Which devices it can open.',
  freezer: 'Whether it is paused.',
  hugetlb: 'How much memory in huge pages it can take.',
  cgroup: 'How many groups it can make below its own, and whether it is paused.',
};

export function describeControlGroup(
  { controllers }: IsolationView,
  { settings }: ContainerRecord,
  version: 1 | 2,
): ControlGroupFact {
  return {
    id: 'control-group',
    meaning:
      'Everything it runs is counted and limited together; nothing inside can leave the group or change it.',
    version,
    asked: settings.limits,
    controllers: controllers.map((controller) => ({
      id: `control-group.${controller.controller}`,
      ...controller,
      meaning: controllerMeanings[controller.controller] ?? 'A limit of the kernel.',
    })),
  };
}

const setNames: readonly CapabilitySet[] = [
  'effective',
  'permitted',
  'bounding',
  'ambient',
  'inheritable',
];

export function describeCapabilities(
  { capabilities }: IsolationView,
  asked: RequestedIsolation,
): CapabilityFact[] {
  const held = setNames.flatMap((set) => capabilities[set]);
  // A newer kernel may have capabilities that this list lacks.
  const names = new Set<string>([...capabilityNames, ...held]);
  return [...names].map((name) => {
    const sets = setNames.filter((set) => capabilities[set].includes(name));
    const kind = sets.includes('permitted') ? 'held' : sets.length > 0 ? 'possible' : 'absent';
    return {
      id: `capability.${name}.${kind}`,
      name,
      sets,
      asked: asked.capabilities.has(name),
      byDefault: defaultCapabilities.includes(name),
      meaning: capabilityMeaning(name, kind),
    };
  });
}

function capabilityMeaning(name: string, kind: 'held' | 'possible' | 'absent'): string {
  const verb = capabilityMeanings[name]?.verb ?? 'do what this kernel has a newer name for';
  if (kind === 'held') return `It may ${verb}.`;
  if (kind === 'absent') return `It cannot ${verb}.`;
  return `It cannot ${verb} now, but a program that runs as root could.`;
}

export function describePrivileges(
  { noNewPrivileges, seccomp, securityLabel }: IsolationView,
  asked: RequestedIsolation,
): PrivilegeFact[] {
  const onOff = (on: boolean) => (on ? 'on' : 'off');
  const filter = seccomp === 'none' ? 'none' : asked.seccomp === 'custom' ? 'custom' : 'default';
  return [
    {
      id: `privilege.no-new-privileges.${onOff(noNewPrivileges)}`,
      name: 'no_new_privs',
      value: onOff(noNewPrivileges),
      asked: onOff(asked.noNewPrivileges),
      meaning: noNewPrivileges
        ? 'No program gains rights by being started, not even sudo and other set-user-id programs.'
        : 'Set-user-id programs such as sudo can turn an ordinary user inside into root inside.',
    },
    {
      id: `privilege.seccomp.${filter}`,
      name: 'seccomp',
      value: seccomp === 'filter' ? `filter, ${filter} profile` : seccomp,
      asked: asked.seccomp,
      meaning: seccompMeanings[filter],
    },
    {
      id: `privilege.security-module.${securityLabel === undefined ? 'none' : 'label'}`,
      name: 'AppArmor or SELinux',
      value: securityLabel ?? 'none',
      meaning:
        securityLabel === undefined
          ? 'No security module adds rules of its own.'
          : 'The security module of this machine applies the rules of this label.',
    },
  ];
}

const seccompMeanings = {
  none: 'Every system call of the kernel is open to it, and so is every flaw in one.',
  default:
    'System calls that programs in containers do not need, such as loading kernel modules, are refused.',
  custom: 'System calls are refused by the profile that was given for this container.',
} as const;

export function describeIdentity(view: IsolationView, { process }: ContainerRecord): IdentityFact {
  const uid = idInside(view.uidMap, view.uid);
  const gid = idInside(view.gidMap, view.gid);
  const kind = view.uid === 0 ? 'root' : uid === 0 ? 'mapped-root' : 'user';
  return {
    id: `identity.${kind}`,
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    groups: view.groups.map((group) => idInside(view.gidMap, group) ?? group),
    hostUid: view.uid,
    hostGid: view.gid,
    asked: process.user,
    uidMap: view.uidMap,
    gidMap: view.gidMap,
    meaning: identityMeanings[kind],
  };
}

const identityMeanings = {
  root: 'It runs as root, the same user as the machine’s root: only the rest of this report holds it back.',
  'mapped-root':
    'It runs as root inside, who is an ordinary user on the machine and owns nothing there.',
  user: 'It runs as an ordinary user, who cannot even change the container’s own system files.',
} as const;

export function describeMounts(
  { mounts }: IsolationView,
  record: ContainerRecord,
  asked: RequestedIsolation,
): MountFact[] {
  return mounts.map((mount) => {
    const { mountPoint: target, type, source, root, options } = mount;
    const origin = originOf(mount, record, asked);
    const readOnly = options.includes('ro') || mount.superOptions.includes('ro');
    const host = requestedMount(mount, record.mounts)?.source;
    return {
      id: `mount.${origin}.${readOnly ? 'read-only' : 'writable'}`,
      target,
      type,
      source: host || source,
      root,
      readOnly,
      noSuid: options.includes('nosuid'),
      noDev: options.includes('nodev'),
      noExec: options.includes('noexec'),
      origin,
      meaning: mountMeaning(origin, readOnly),
    };
  });
}

/** Mount targets that every container has. */
const engineTargets =
  /^\/(proc|sys|sys\/fs\/cgroup(\/.*)?|dev|dev\/(pts|mqueue|shm|console|null|zero|full|random|urandom|tty)|etc\/(hosts|hostname|resolv\.conf))$/;

function originOf(
  mount: MountEntry,
  { mounts, settings }: ContainerRecord,
  asked: RequestedIsolation,
): MountFact['origin'] {
  const { mountPoint } = mount;
  if (mountPoint === '/') return 'root';
  const view = requestedMount(mount, mounts);
  if (view !== undefined) return view.type;
  if (settings.mounts.some(({ target }) => samePlace(target, mountPoint))) return 'tmpfs';
  if (asked.kernelPaths.has(mountPoint)) return 'guard';
  return engineTargets.test(mountPoint) ? 'engine' : 'inside';
}

function mountMeaning(origin: MountFact['origin'], readOnly: boolean): string {
  switch (origin) {
    case 'root':
      return readOnly
        ? 'The image’s files, which it cannot change.'
        : 'The image’s files; what it changes stays its own and goes with it.';
    case 'engine':
      return readOnly
        ? 'Made for this container; it can read it only.'
        : 'Made for this container alone.';
    case 'guard':
      return 'Covers a part of the kernel’s own files.';
    case 'bind':
      return readOnly
        ? 'A part of the machine that it can read and not change.'
        : 'A part of the machine: what it changes here is changed there.';
    case 'volume':
      return readOnly
        ? 'A volume that it can read and not change.'
        : 'A volume: what it writes here outlives it, and others that mount it see it.';
    case 'tmpfs':
      return 'Memory that is its own and empty again after a stop.';
    case 'inside':
      return 'Mounted from inside, or along with a folder that was bound in.';
  }
}

const kernelPathMeanings: Readonly<Record<KernelPathFact['state'], string>> = {
  masked: 'Hidden: it tells of the machine, or reaches it.',
  'read-only': 'It can be read and not changed: the settings are the machine’s.',
  open: 'Open: what it reads or changes here is the machine’s.',
  absent: 'Not there to be seen.',
};

export function describeKernelPaths(
  { kernelPaths }: IsolationView,
  asked: RequestedIsolation,
): KernelPathFact[] {
  return [...kernelPaths].map(([path, state]) => ({
    id: `kernel-path.${state}`,
    path,
    asked: asked.kernelPaths.get(path) ?? 'open',
    state,
    meaning: kernelPathMeanings[state],
  }));
}

export function describeResourceLimits(
  view: IsolationView,
  asked: RequestedIsolation,
): ResourceLimitFact[] {
  return view.resourceLimits.map((limit) => {
    const known = resourceLimits.find(({ name }) => name === limit.name);
    return {
      id: `resource-limit.${known?.ulimit ?? 'other'}`,
      ...limit,
      asked: known !== undefined && asked.ulimits.has(known.ulimit),
      meaning: known?.meaning ?? 'A limit of the kernel on each process.',
    };
  });
}
