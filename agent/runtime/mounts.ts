/**
 * The mounts of a container. Sources are opened on the host, before the launcher enters the new
 * mount namespace. Targets are resolved inside the container's root and mounted by descriptor, so
 * that no link in the image can redirect a mount (CVE-2021-30465, 2023-28642).
 */
import { closeSync, fstatSync } from 'node:fs';
import type { OciIdMapping, OciMount } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { copyTree } from '../kernel/copy-tree.ts';
import {
  AT_FDCWD,
  lchownat,
  O_PATH,
  openat2,
  openDirectory,
  openInRootIfAny,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  attachMount,
  changeMount,
  cloneMount,
  type FilesystemOption,
  MountAttribute,
  newFilesystem,
  Propagation,
} from '../kernel/mount.ts';
import { copyOfProcfs } from '../kernel/procfs.ts';
import { outsideId } from '../kernel/user-namespaces.ts';
import { mountCgroups } from './cgroup-mount.ts';
import { copiedLink, makeLink } from './copied-link.ts';
import type { OpenDescriptors } from './descriptors.ts';
import { cloneForeignMount, isForeignMount } from './foreign-mount.ts';
import { type MountOptions, mountPath, parseMountOptions } from './mount-options.ts';
import { onDirectory, onFile, onRealDirectory, openRealDirectory } from './mount-targets.ts';
import type { MountedTrees } from './trees.ts';
import type { Remapping } from './user-namespace.ts';

/** A mount of the spec, with what was opened for it on the host. */
export interface PlannedMount {
  destination: string;
  type: string;
  source: string | undefined;
  options: MountOptions;
  /**
   * A detached mount: the copy of a bind mount's source, or a file system made before, such as by
   * {@link showNamespaces}.
   */
  treeFd: number | undefined;
  /** Whether this is a pooled `/dev` that has its nodes and links. */
  isFilled?: boolean;
  /** The id map of this bind mount. */
  ids?: { uids: readonly OciIdMapping[]; gids: readonly OciIdMapping[] };
  /** The target of a symbolic link that is made instead of a mount. */
  link?: string;
  /**
   * Whether the copy of the host's procfs stays, because the container shares the host's pid
   * namespace.
   */
  stays?: boolean;
}

/** Whether the parameters and attributes describe the new file system completely. */
export function isPlain({ options }: PlannedMount): boolean {
  const { copyUp, propagation, recursiveSet, recursiveClear } = options;
  return !copyUp && propagation === undefined && recursiveSet === 0 && recursiveClear === 0;
}

/** Mounts below /proc, which are made only after the shim's child has mounted /proc. */
export interface LateMounts {
  procs: { attributes: number; path: string; replaces: boolean }[];
  attach: { fd: number; path: string }[];
}

/**
 * The files that lxcfs and similar programs mount over procfs; nothing else may be mounted there.
 */
const allowedBelowProc = new Set(
  [
    'cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev',
    'sys/kernel/ns_last_pid sys/crypto/fips_enabled',
  ]
    .join(' ')
    .split(' ')
    .map((name) => `/proc/${name}`),
);

/**
 * `unbindableLater` leaves that propagation to the shim's child, which makes those mounts again.
 */
export function planMounts(mounts: readonly OciMount[], unbindableLater = false): PlannedMount[] {
  const planned: PlannedMount[] = [];
  try {
    for (const mount of mounts) planned.push(planMount(mount, unbindableLater));
    return planned;
  } catch (error) {
    closeTrees(planned);
    throw error;
  }
}

export function closeTrees(planned: readonly PlannedMount[]): void {
  for (const { treeFd } of planned) if (treeFd !== undefined) closeSync(treeFd);
}

function planMount(mount: OciMount, unbindableLater: boolean): PlannedMount {
  const destination = mountPath(mount.destination);
  const options = parseMountOptions(mount.options ?? []);
  const link = options.copySymlink ? copiedLink(mount) : undefined;
  if (link !== undefined) return linkInPlaceOf(mount, destination, options, link);
  if (mount.type === 'bind' && options.bind === 'no') options.bind = 'one';
  if (unbindableLater && options.propagation?.type === Propagation.unbindable)
    options.propagation = { ...options.propagation, type: Propagation.private };
  const type = options.bind === 'no' ? (mount.type ?? 'none') : 'bind';
  if (destination === '/')
    throw invalid(`invalid mount destination "${mount.destination}": it is the root`);
  if (destination.startsWith('/proc/') && !(type === 'bind' && allowedBelowProc.has(destination)))
    throw invalid(`"${destination}" cannot be mounted because it is inside /proc`);
  if (destination === '/proc' && type !== 'proc')
    throw invalid('only a proc file system can be mounted on /proc');
  const { source, uidMappings: uids, gidMappings: gids } = mount;
  const ids = uids && gids && { uids, gids };
  if (type !== 'bind' && (ids !== undefined || options.idmap !== 'no'))
    throw invalid(`the mount on "${mount.destination}" is no bind, so its ids cannot be mapped`);
  if (ids !== undefined && options.idmap === 'no') options.idmap = 'one';
  const treeFd = type === 'bind' ? openSource(mount, options) : undefined;
  return { destination, type, source, options, treeFd, ...(ids && { ids }) };
}

function linkInPlaceOf(
  { source }: OciMount,
  destination: string,
  options: MountOptions,
  link: string,
): PlannedMount {
  if (destination === '/' || destination === '/proc' || destination.startsWith('/proc/'))
    throw invalid(`"${destination}" cannot be a link`);
  return { destination, type: 'link', source, options, treeFd: undefined, link };
}

/** A detached copy of the source's mount, with its flags and propagation. */
function openSource(mount: OciMount, options: MountOptions): number {
  const source = mount.source ?? '';
  const recursive = options.bind === 'recursive';
  const tree = isForeignMount(source)
    ? cloneForeignMount(source, recursive)
    : withFd(openSourcePath(source), (fd) => cloneMount(fd, recursive, source));
  try {
    const propagation = options.propagation ?? { type: Propagation.private, recursive: true };
    changeMount(tree, { propagation: propagation.type, recursive: propagation.recursive }, source);
    if (options.set !== 0 || options.clear !== 0)
      changeMount(tree, { set: options.set, clear: options.clear }, source);
    if (options.recursiveSet !== 0 || options.recursiveClear !== 0) {
      const { recursiveSet: set, recursiveClear: clear } = options;
      changeMount(tree, { set, clear, recursive: true }, source);
    }
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

function openSourcePath(source: string): number {
  try {
    return openat2(AT_FDCWD, source, O_PATH, 0);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw invalid(
        `invalid mount config for type "bind": bind source path does not exist: ${source}`,
        error,
      );
    throw error;
  }
}

/**
 * Prepares sysfs and procfs for a container with a user namespace, where the kernel mounts them
 * only if an equal mount is visible. procfs is the host's for the moment; the shim's child replaces
 * it before anything of the image runs.
 */
export function showNamespaces(planned: readonly PlannedMount[]): void {
  for (const mount of planned)
    if (mount.type === 'sysfs' || mount.type === 'proc')
      mount.treeFd = newFilesystem(mount.type, [], mount.options.set, mount.source ?? mount.type);
}

/**
 * The same for an agent that runs in a user namespace. A namespace shared with the host gets a copy
 * of the host's mount.
 */
export function showMachine(
  planned: readonly PlannedMount[],
  own: { network: boolean; pid: boolean },
): void {
  for (const mount of planned)
    if (mount.type === 'proc') {
      mount.treeFd = copyOfProcfs();
      mount.stays = !own.pid;
    } else if (mount.type === 'sysfs' && !own.network)
      mount.treeFd = copyOfSysfs(mount.options.set);
}

function copyOfSysfs(attributes: number): number {
  const tree = withFd(openDirectory('/sys'), (fd) => cloneMount(fd, true, '/sys'));
  changeMount(tree, { set: attributes, recursive: true }, '/sys');
  return tree;
}

/**
 * Attaches the host's procfs where the shim's child will mount the container's. This is the last
 * step: no path of the image is resolved afterwards, so no link can lead into the host's procfs.
 */
export function attachStandIn(rootFd: number, planned: readonly PlannedMount[]): void {
  for (const { type, treeFd, destination } of planned)
    if (type === 'proc' && treeFd !== undefined)
      onRealDirectory(rootFd, destination, (target) => attachMount(treeFd, target, destination));
}

/** Where the mounts of one container go. */
interface MountPlace {
  rootFd: number;
  cgroupPaths: ReadonlyMap<string, string>;
  awaitGroups: () => void;
  remapping: Remapping | undefined;
  trees: MountedTrees;
  /** The SELinux label of new file systems. */
  label: string | undefined;
}

/**
 * Attaches every mount in order. With `groupsLast` cgroup mounts that nothing else depends on wait
 * until `mountGroups` is called. Returns what the shim's child has to do, and the devpts.
 */
export function mountAll(
  place: MountPlace,
  planned: readonly PlannedMount[],
  opened: OpenDescriptors,
  groupsLast: boolean,
): { late: LateMounts; devptsFd: number | undefined; mountGroups: () => void } {
  const late: LateMounts = { procs: [], attach: [] };
  const { rootFd, remapping } = place;
  let devptsFd: number | undefined;
  const groups: PlannedMount[] = [];
  for (const [index, mount] of planned.entries()) {
    try {
      if (groupsLast && isAlone(mount, planned.slice(index + 1))) groups.push(mount);
      else if (mount.type === 'proc') {
        const { destination: path, treeFd } = mount;
        closeSync(openRealDirectory(rootFd, path));
        if (mount.stays !== true)
          late.procs.push({ attributes: mount.options.set, path, replaces: treeFd !== undefined });
      } else if (mount.destination.startsWith('/proc/') && mount.treeFd !== undefined) {
        late.attach.push({ fd: mount.treeFd, path: mount.destination });
      } else if (mount.destination === '/dev/pts' && mount.type === 'devpts') {
        devptsFd = opened.add(mountTerminals(place, mount));
        if (remapping !== undefined) giveTerminals(devptsFd, remapping);
      } else {
        mountOne(place, mount);
      }
    } catch (error) {
      throw mountFailure(mount, error);
    }
  }
  const mountGroups = () => {
    for (const mount of groups) mountOrExplain(place, mount);
  };
  return { late, devptsFd, mountGroups };
}

function isAlone({ type, destination }: PlannedMount, later: readonly PlannedMount[]): boolean {
  const isBelow = (path: string, other: string) => path === other || path.startsWith(`${other}/`);
  return (
    (type === 'cgroup' || type === 'cgroup2') &&
    !later.some(
      (one) => isBelow(one.destination, destination) || isBelow(destination, one.destination),
    )
  );
}

function mountOrExplain(place: MountPlace, mount: PlannedMount): void {
  try {
    mountOne(place, mount);
  } catch (error) {
    throw mountFailure(mount, error);
  }
}

/**
 * Turns errors of the request or the image into invalid; others stay as the kernel reported them.
 */
function mountFailure({ destination, type, source }: PlannedMount, error: unknown): unknown {
  const what =
    type === 'bind' || type === 'link'
      ? `${source} on ${destination}`
      : `${type} on ${destination}`;
  if (hasErrno(error, 'ENOTDIR'))
    return invalid(
      `cannot mount ${what}: not a directory; a directory cannot be mounted onto a file, nor a file onto a directory`,
      error,
    );
  if (hasErrno(error, 'EINVAL', 'ENODEV', 'ENOENT', 'ELOOP', 'ERANGE', 'EEXIST'))
    return invalid(
      `cannot mount ${what}: ${error instanceof Error ? error.message : error}`,
      error,
    );
  return error;
}

function mountOne(place: MountPlace, mount: PlannedMount): void {
  const { rootFd, cgroupPaths, awaitGroups } = place;
  const { destination, treeFd } = mount;
  if (mount.link !== undefined) makeLink(rootFd, destination, mount.link);
  else if (mount.type === 'tree')
    withFd(openTree(place, mount), (tree) => attachTree(rootFd, tree, mount));
  else if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
    onRealDirectory(rootFd, destination, (target) => {
      awaitGroups();
      mountCgroups(target, cgroupPaths, mount.options.set, treeFd);
    });
  } else if (treeFd !== undefined) {
    attachTree(rootFd, treeFd, mount);
  } else {
    closeSync(mountNew(place, mount));
  }
}

function attachTree(rootFd: number, treeFd: number, { type, destination }: PlannedMount): void {
  const onIts =
    type === 'sysfs' ? onRealDirectory : fstatSync(treeFd).isDirectory() ? onDirectory : onFile;
  onIts(rootFd, destination, (target) => attachMount(treeFd, target, destination));
}

function openTree(
  { trees }: MountPlace,
  { source, options: { set, clear } }: PlannedMount,
): number {
  const tree = trees.open(Number(source));
  try {
    if (set !== 0 || clear !== 0) changeMount(tree, { set, clear }, source);
    return tree;
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

/** Returns the descriptor of the devpts, which the caller closes. */
function mountTerminals(place: MountPlace, mount: PlannedMount): number {
  const { treeFd } = mount;
  if (treeFd === undefined) return mountNew(place, mount);
  mountOne(place, mount);
  mount.treeFd = undefined;
  return treeFd;
}

/** Mounts a new file system on the target and returns its descriptor. */
function mountNew({ rootFd, remapping, label }: MountPlace, mount: PlannedMount): number {
  const { destination, type, options, source } = mount;
  const isReal = destination === '/sys' || destination.startsWith('/sys/');
  const onIts = isReal ? onRealDirectory : onDirectory;
  // The mode is read before a missing directory is made.
  const own =
    type === 'tmpfs'
      ? withModeOfImage(rootFd, destination, options.filesystem)
      : options.filesystem;
  return onIts(rootFd, destination, (target) => {
    const parameters = withIdsOutside(own, remapping);
    if (label !== undefined) parameters.push(['context', label]);
    const copies = type === 'tmpfs' && options.copyUp;
    // The file system stays writable until the copy is done.
    const wanted = (options.set & ~options.recursiveClear) | options.recursiveSet;
    const attributes = copies ? wanted & ~MountAttribute.readOnly : wanted;
    const tree = newFilesystem(type, parameters, attributes, source ?? type);
    try {
      if (copies) {
        copyTree(target, tree);
        changeMount(tree, { set: wanted });
      }
      attachMount(tree, target, destination);
      const { propagation } = options;
      if (propagation !== undefined)
        changeMount(tree, { propagation: propagation.type, recursive: propagation.recursive });
      return tree;
    } catch (error) {
      closeSync(tree);
      throw error;
    }
  });
}

/** Parameters contain the container's ids, but the mount is made by the host's root. */
function withIdsOutside(
  parameters: FilesystemOption[],
  remapping: Remapping | undefined,
): FilesystemOption[] {
  return parameters.map((parameter) => {
    const [name, value] = parameter;
    if (remapping === undefined || (name !== 'uid' && name !== 'gid')) return parameter;
    return [name, String(outsideId(remapping.ids, `${name}s`, Number(value)))];
  });
}

/** The kernel gives a new devpts to the user who mounts it. */
function giveTerminals(devptsFd: number, { owner: { uid, gid } }: Remapping): void {
  for (const name of ['', 'ptmx']) lchownat(devptsFd, name, uid, gid);
}

/** As with runc, a tmpfs keeps the mode of the image's directory. */
function withModeOfImage(
  rootFd: number,
  destination: string,
  parameters: FilesystemOption[],
): FilesystemOption[] {
  if (parameters.some(([name]) => name === 'mode')) return parameters;
  const mode = existingMode(rootFd, destination);
  return mode === undefined ? parameters : [...parameters, ['mode', mode.toString(8)]];
}

function existingMode(rootFd: number, path: string): number | undefined {
  const there = openInRootIfAny(rootFd, path, O_PATH);
  return there === undefined ? undefined : withFd(there, (fd) => fstatSync(fd).mode & 0o7777);
}
