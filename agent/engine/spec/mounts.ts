/** The mounts of a container in their final order: the defaults, then the requested ones. */
import { posix } from 'node:path';
import type { ContainerSettings, MountSettings, MountView } from '../../contract/container.ts';
import type { OciMount } from '../../contract/oci-runtime.ts';
import { invalid } from '../../errors.ts';
import { defaultMounts, defaultShmBytes } from '../../runtime/default-spec.ts';

export interface MountInput {
  settings: ContainerSettings;
  /** Bind mounts and volumes with their paths on the host. */
  mounts: readonly MountView[];
  files: { hosts: string; hostname: string; resolvConf: string };
  /** Targets of mounts whose files on disk carry the ids used inside the container. */
  mappedTargets?: readonly string[];
  /** The host's path of `/dev/shm` in the container whose ipc namespace is joined. */
  sharedMemory?: string;
}

export function mountsOf(input: MountInput): OciMount[] {
  const asked = askedMounts(input);
  const covered = new Set(asked.map(({ destination }) => destination));
  const own = [...ownMounts(input), ...fileMounts(input)].filter(
    ({ destination }) =>
      !covered.has(destination) && !(covered.has('/dev') && destination.startsWith('/dev/')),
  );
  // A mount below another one is mounted after it, whatever the order of the request.
  return [...own, ...asked.toSorted((a, b) => depth(a.destination) - depth(b.destination))];
}

/** Privileged containers may write to `/sys` and to their cgroup. */
function ownMounts({ settings, sharedMemory }: MountInput): OciMount[] {
  const { ipc } = settings.namespaces;
  const shm = ipc === 'host' ? '/dev/shm' : sharedMemory;
  return defaultMounts(settings.shmBytes || defaultShmBytes).map((mount) => {
    if (mount.destination === '/dev/shm' && ipc !== 'private' && shm !== undefined)
      return { destination: '/dev/shm', type: 'bind', source: shm, options: ['rbind'] };
    if (!settings.security.privileged) return mount;
    return { ...mount, options: (mount.options ?? []).filter((option) => option !== 'ro') };
  });
}

function fileMounts({ settings, files }: MountInput): OciMount[] {
  // The container's root owns these files inside; without a user namespace `idmap` has no effect.
  const options = ['rbind', 'rprivate', 'idmap', ...(settings.readOnlyRootfs ? ['ro'] : [])];
  const bind = (destination: string, source: string) => ({
    destination,
    type: 'bind',
    source,
    options,
  });
  return [
    bind('/etc/resolv.conf', files.resolvConf),
    bind('/etc/hostname', files.hostname),
    bind('/etc/hosts', files.hosts),
  ];
}

function askedMounts({ settings, mounts, mappedTargets = [] }: MountInput): OciMount[] {
  const binds = mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map((mount) => {
      const mapped = mappedTargets.includes(mount.target);
      return bindOf(mount, settingsAt(settings, mount.target), mapped);
    });
  const memory = settings.mounts.filter((mount) => mount.type === 'tmpfs').map(tmpfsOf);
  return [...binds, ...memory];
}

function settingsAt(settings: ContainerSettings, target: string): MountSettings | undefined {
  return settings.mounts.find((mount) => place(mount.target) === place(target));
}

function bindOf(mount: MountView, asked: MountSettings | undefined, mapped: boolean): OciMount {
  const recursive = asked?.type === 'bind' ? asked.recursive : true;
  // `ro` applies to the mount itself; `rro` also to the mounts below it.
  const readOnly = mount.readOnly ? ['ro', ...(recursive ? ['rro'] : [])] : [];
  return {
    destination: place(mount.target),
    type: 'bind',
    source: mount.source,
    options: [
      recursive ? 'rbind' : 'bind',
      mount.propagation || 'rprivate',
      ...readOnly,
      ...(mapped ? [mount.type === 'bind' && recursive ? 'ridmap' : 'idmap'] : []),
    ],
  };
}

/** Parameters of tmpfs itself (tmpfs.rst); other options are mount flags. */
const tmpfsParameters = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);
const tmpfsFlags = new Set(
  `exec noexec suid nosuid dev nodev ro rw atime noatime diratime nodiratime relatime strictatime`.split(
    ' ',
  ),
);

function tmpfsOf(mount: Extract<MountSettings, { type: 'tmpfs' }>): OciMount {
  for (const option of mount.options) checkTmpfsOption(option);
  return {
    destination: place(mount.target),
    type: 'tmpfs',
    source: 'tmpfs',
    options: [
      'noexec',
      'nosuid',
      'nodev',
      ...mount.options,
      ...(mount.sizeBytes ? [`size=${mount.sizeBytes}`] : []),
      ...(mount.mode === undefined ? [] : [`mode=${mount.mode.toString(8)}`]),
    ],
  };
}

function checkTmpfsOption(option: string): void {
  const [name = '', value] = option.split('=', 2);
  const known = value === undefined ? tmpfsFlags.has(name) : tmpfsParameters.has(name);
  if (!known) throw invalid(`Invalid tmpfs option "${option}"`);
}

/** The root needs the strongest propagation that any of the mounts asks for. */
export function rootPropagationOf(mounts: readonly MountView[]): string | undefined {
  const asked = new Set(mounts.map(({ propagation }) => propagation));
  if (asked.has('shared') || asked.has('rshared')) return 'shared';
  return asked.has('slave') || asked.has('rslave') ? 'rslave' : undefined;
}

function place(path: string): string {
  return posix.normalize(`/${path}`).replace(/(.)\/$/, '$1');
}

function depth(path: string): number {
  return path.split('/').length;
}
