/**
 * The launcher's work for one container: namespaces and the mount tree. Everything here is
 * synchronous and runs on the launcher's thread. Only descriptors hold what it makes, so a failure
 * closes them, returns to the host's namespaces and leaves nothing.
 */
import { closeSync } from 'node:fs';
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { makeDirectoriesInRoot, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { bringLoopbackUp } from '../kernel/loopback.ts';
import {
  changeMount,
  changeRootMount,
  leaveOldRoot,
  MountAttribute,
  Propagation,
  pivotInto,
} from '../kernel/mount.ts';
import {
  NamespaceFlag,
  namespaceFile,
  openNamespace,
  setDomainname,
  setHostname,
  setns,
  unshare,
} from '../kernel/namespaces.ts';
import { NetlinkFamily, openNetlink } from '../kernel/netlink.ts';
import { duplicateFrom } from '../kernel/process.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';
import { openTerminal } from '../kernel/pty.ts';
import { asFileOwner, type IdMap, inUserNamespace } from '../kernel/user-namespaces.ts';
import { OpenDescriptors } from './descriptors.ts';
import { addDevices, bindConsole, fillDev } from './devices.ts';
import { checkProgram } from './find-program.ts';
import { returnToHost } from './host-namespaces.ts';
import { copyUp, readFiles } from './image-files.ts';
import { mapMountIds } from './mount-ids.ts';
import { rootPropagation } from './mount-options.ts';
import {
  attachStandIn,
  closeTrees,
  type LateMounts,
  mountAll,
  type PlannedMount,
  planMounts,
  showMachine,
  showNamespaces,
} from './mounts.ts';
import type { PooledNetwork } from './network-pool.ts';
import { mountRootfs } from './rootfs.ts';
import type { PrepareRequest } from './runtime.ts';
import { isListed, isNew, joinedNamespaces, ownsMounts } from './spec-namespaces.ts';
import { checkSysctls, writeSysctls } from './sysctl.ts';
import { MountedTrees } from './trees.ts';
import {
  checkRemapping,
  isRemapped,
  makeOwnedNamespaces,
  type OwnedNamespaces,
} from './user-namespace.ts';

/** What the launcher hands to the main thread. All numbers are descriptors of the process. */
export interface Prepared {
  namespaces: Partial<Record<OciNamespaceType, number>>;
  netlinkFd: number | undefined;
  terminal: { masterFd: number; slaveFd: number } | undefined;
  /** The id map of the container's user namespace, if it has one. */
  ids: IdMap | undefined;
  late: LateMounts;
  files: Map<string, string>;
  /** The root for the shim's child to pivot into. Undefined when that is done. */
  rootFd?: number;
  /** The mount namespace in which the root is prepared, when the container joins another one. */
  borrowedFd?: number;
  /**
   * Keeps an overlay root mounted: the overlay itself or its mount namespace. Without it the
   * container's last process would have to unmount everything before it ends.
   */
  rootHolderFd?: number;
}

/**
 * The namespaces that a thread can enter itself; the shim makes pid and cgroup. The mount namespace
 * comes last, because file systems that show the others are made before.
 */
const threadNamespaces = ['uts', 'ipc', 'network', 'mount'] as const;

/** Descriptors that the launcher has open for all containers. */
export interface LauncherFds {
  procFd: number;
  programFd: number;
}

/** Callbacks for what other parts make before or meanwhile. */
export interface PrepareHooks {
  /** Blocks until the sources of the mounts exist. Throws when they could not be made. */
  awaitSources?: () => void;
  /** Blocks until the cgroups exist. Throws when they could not be made. */
  awaitGroups?: () => void;
  /**
   * Takes a network namespace from the pool and gives its sysfs to the mount. The caller owns the
   * descriptors.
   */
  takeNetwork?: (spec: OciSpec, planned: readonly PlannedMount[]) => PooledNetwork | undefined;
  /** Gives pooled file systems to the mounts that match. The caller owns the descriptors. */
  giveMounts?: (planned: readonly PlannedMount[], cgroupPaths: ReadonlyMap<string, string>) => void;
  /**
   * Takes the complete sandbox and calls `last` once. Until `last` has returned, which takes the
   * kernel a while, nothing may run in the sandbox, because it still has the host's mount tree.
   * Throws nothing.
   */
  handOver?: (prepared: Prepared, last: () => void) => void;
}

export function prepare(
  request: PrepareRequest,
  fds: LauncherFds,
  {
    awaitSources = () => {},
    awaitGroups = () => {},
    takeNetwork = () => undefined,
    giveMounts = () => {},
    handOver = (_, last) => last(),
  }: PrepareHooks = {},
): Prepared {
  checkSupported(request);
  const opened = new OpenDescriptors();
  let planned: PlannedMount[] = [];
  let away = 0;
  try {
    const joined = openJoinedNamespaces(request.spec, opened);
    awaitSources();
    planned = planMounts(request.spec.mounts, request.pivotLater === true);
    const owned = isRemapped(request.spec)
      ? ownNamespaces(fds, request, joined, opened)
      : undefined;
    away = newNamespaceFlags(request.spec) | enteredFlags(joined);
    if (owned === undefined) {
      mapMountIds(planned, fds, undefined);
      if (request.spec.linux.mountLabel === undefined) giveMounts(planned, request.cgroupPaths);
      const pooled = isNew(request.spec, 'network')
        ? takeNetwork(request.spec, planned)
        : undefined;
      const made = unshareAll(request.spec, pooled?.fd, opened);
      enter({ ...joined, mount: undefined });
      if (inUserNamespace()) showMachine(planned, ownedOf(request.spec));
      setNames(request.spec);
      if (pooled?.isSet !== true) writeSysctls(fds.procFd, request.spec.linux.sysctl);
      const known = { ...joined, ...made };
      return build({
        ...{ request, procFd: fds.procFd, planned, joined: known, opened },
        ...{ awaitGroups, handOver },
      });
    }
    const { mount, ...others } = owned.fds;
    enter({ ...joined, ...others });
    if (isNew(request.spec, 'network')) bringLoopbackUp();
    // Inside the container's mount namespace the kernel would refuse to mount what shows more than
    // is mounted there (mount_namespaces(7)).
    showNamespaces(planned);
    mapMountIds(planned, fds, owned.remapping.userFd);
    enter({ mount });
    setNames(request.spec);
    writeSysctls(fds.procFd, request.spec.linux.sysctl, owned.remapping.owner.uid);
    const building = {
      ...{ request, procFd: fds.procFd, planned, joined, opened },
      ...{ awaitGroups, handOver },
    };
    const { uid, gid } = owned.remapping.owner;
    return asFileOwner(uid, gid, () => build({ ...building, owned }));
  } catch (error) {
    opened.closeAll();
    closeTrees(planned.filter(isLate));
    throw error;
  } finally {
    closeTrees(planned.filter((mount) => !isLate(mount)));
    if (away !== 0) returnToHost(away);
  }
}

/** Whether the mount's descriptor is passed to the shim. */
function isLate(mount: PlannedMount): boolean {
  return mount.destination.startsWith('/proc/');
}

function ownNamespaces(
  fds: LauncherFds,
  { spec }: PrepareRequest,
  joined: Prepared['namespaces'],
  opened: OpenDescriptors,
): OwnedNamespaces {
  const types = threadNamespaces.filter((type) => isNew(spec, type));
  return makeOwnedNamespaces(fds, spec.linux, types, joined.user, opened);
}

interface Building {
  request: PrepareRequest;
  procFd: number;
  planned: PlannedMount[];
  joined: Prepared['namespaces'];
  opened: OpenDescriptors;
  awaitGroups: () => void;
  handOver: (prepared: Prepared, last: () => void) => void;
  /** The user namespace, with the namespaces made in it. */
  owned?: OwnedNamespaces;
}

function build({
  request,
  procFd,
  planned,
  joined,
  opened,
  awaitGroups,
  handOver,
  owned,
}: Building): Prepared {
  const { spec } = request;
  const remapping = owned?.remapping;
  // Mounts made here must not reach the host; mounts of the host may still arrive.
  changeRootMount({ propagation: Propagation.slave, recursive: true });
  const mapped = new Set<string>();
  const rootFd = mountRootfs(request.rootfs, remapping?.userFd, mapped);
  return withFd(rootFd, () => {
    for (const { source, target } of request.copyUp ?? [])
      copyUp(rootFd, source, target, remapping);
    const files = readFiles(rootFd, request.readFiles ?? []);
    const { late, devptsFd, mountGroups } = mountAll(
      {
        ...{ rootFd, cgroupPaths: request.cgroupPaths, awaitGroups, remapping },
        trees: new MountedTrees(request.trees ?? [], remapping?.userFd, mapped),
        label: spec.linux.mountLabel,
      },
      planned,
      opened,
      !request.pivotLater,
    );
    const onDev = planned.filter(({ destination }) => destination === '/dev');
    // A bind-mounted /dev stays as it is.
    if (!onDev.some(({ type }) => type === 'bind')) {
      if (!onDev.some(({ isFilled }) => isFilled)) fillDev(rootFd);
      addDevices(rootFd, spec.linux.devices ?? [], remapping?.ids);
    }
    const terminal = spec.process.terminal ? makeTerminal(rootFd, devptsFd, opened) : undefined;
    mountGroups();
    makeWorkingDirectory(rootFd, spec.process.cwd);
    if (request.pivotLater) checkProgram(rootFd, spec.process);
    attachStandIn(rootFd, planned);
    const isOverlay = request.rootfs.kind === 'overlay';
    const keepsMounts = isOverlay && request.keepsMounts === true && isNew(spec, 'mount');
    const overlayFd = isOverlay && !keepsMounts ? opened.add(duplicateFrom(rootFd, 3)) : undefined;
    if (!request.pivotLater) {
      finishRoot(rootFd, spec);
      pivotInto(rootFd);
    }
    if (devptsFd !== undefined) opened.close(devptsFd);
    const namespaces =
      owned === undefined
        ? openNamespaces(spec, procFd, joined, opened)
        : { ...joined, ...owned.fds, user: owned.remapping.userFd };
    const isWired = isNew(spec, 'network') && request.unwired !== true;
    const netlinkFd = isWired ? opened.add(openNetlink(NetlinkFamily.route)) : undefined;
    const prepared: Prepared = {
      namespaces,
      netlinkFd,
      terminal,
      ids: remapping?.ids,
      late,
      files,
      ...(isOverlay && { rootHolderFd: keepsMounts ? namespaces.mount : overlayFd }),
      ...(request.pivotLater && keepRoot(rootFd, spec, procFd, opened)),
    };
    if (!request.pivotLater) handOver(prepared, leaveOldRoot);
    return prepared;
  });
}

function keepRoot(
  rootFd: number,
  spec: OciSpec,
  procFd: number,
  opened: OpenDescriptors,
): Pick<Prepared, 'rootFd' | 'borrowedFd'> {
  const kept = { rootFd: opened.add(duplicateFrom(rootFd, 3)) };
  if (ownsMounts(spec)) return kept;
  return { ...kept, borrowedFd: opened.add(openOwnNamespace(procFd, namespaceFile.mount)) };
}

function checkSupported({ spec, pivotLater }: PrepareRequest): void {
  checkRemapping(spec);
  // A container in the host's or another's mount namespace needs a root that is attached in
  // neither.
  if (!ownsMounts(spec) && (!pivotLater || isRemapped(spec)))
    throw invalid('a container needs a mount namespace of its own');
  if (spec.hostname !== undefined && spec.hostname !== '' && Buffer.byteLength(spec.hostname) > 64)
    throw invalid(`the hostname "${spec.hostname}" is longer than 64 bytes`);
  checkSysctls(spec);
}

/**
 * Whether each namespace is the container's own or another container's, and so belongs to the
 * agent's user namespace.
 */
function ownedOf(spec: OciSpec): { network: boolean; pid: boolean } {
  return { network: isListed(spec, 'network'), pid: isListed(spec, 'pid') };
}

function newNamespaceFlags(spec: OciSpec): number {
  return (
    threadNamespaces
      // A container without a mount namespace of its own is mounted in a temporary one.
      .filter((type) => type === 'mount' || isNew(spec, type))
      .reduce((flags, type) => flags | NamespaceFlag[type], 0)
  );
}

/** Returns the pooled namespaces that were used. */
function unshareAll(
  spec: OciSpec,
  pooled: number | undefined,
  opened: OpenDescriptors,
): Prepared['namespaces'] {
  const flags = newNamespaceFlags(spec);
  if (pooled === undefined) {
    unshare(flags);
    if (isNew(spec, 'network')) bringLoopbackUp();
    return {};
  }
  setns(opened.add(pooled), NamespaceFlag.network, 'network');
  unshare(flags & ~NamespaceFlag.network);
  return { network: pooled };
}

function openJoinedNamespaces(spec: OciSpec, opened: OpenDescriptors): Prepared['namespaces'] {
  const joined: Prepared['namespaces'] = {};
  for (const { type, path } of joinedNamespaces(spec))
    joined[type] = opened.add(openNamespace(path));
  return joined;
}

function enteredFlags(joined: Prepared['namespaces']): number {
  return threadNamespaces
    .filter((type) => joined[type] !== undefined)
    .reduce((flags, type) => flags | NamespaceFlag[type], 0);
}

/** File systems that show a namespace (sysfs, mqueue) show that of the mounting thread. */
function enter(namespaces: Prepared['namespaces']): void {
  for (const type of threadNamespaces) {
    const fd = namespaces[type];
    if (fd !== undefined) setns(fd, NamespaceFlag[type], type);
  }
}

function openNamespaces(
  spec: OciSpec,
  procFd: number,
  joined: Prepared['namespaces'],
  opened: OpenDescriptors,
): Prepared['namespaces'] {
  const all = { ...joined };
  for (const type of threadNamespaces)
    if (isNew(spec, type)) all[type] ??= opened.add(openOwnNamespace(procFd, namespaceFile[type]));
  return all;
}

function makeTerminal(rootFd: number, devptsFd: number | undefined, opened: OpenDescriptors) {
  if (devptsFd === undefined) throw invalid('a terminal needs a devpts file system on /dev/pts');
  const terminal = openTerminal(devptsFd);
  opened.add(terminal.masterFd);
  opened.add(terminal.slaveFd);
  bindConsole(rootFd, terminal.slaveFd);
  return terminal;
}

function setNames(spec: OciSpec): void {
  if (!isNew(spec, 'uts')) return;
  if (spec.hostname) setHostname(spec.hostname);
  if (spec.domainname) setDomainname(spec.domainname);
}

function makeWorkingDirectory(rootFd: number, path: string): void {
  try {
    closeSync(makeDirectoriesInRoot(rootFd, path));
  } catch (error) {
    if (hasErrno(error, 'ENOTDIR', 'ENOENT', 'EEXIST', 'ELOOP'))
      throw invalid(`the working directory "${path}" is not a directory in the container`, error);
    throw error;
  }
}

function finishRoot(rootFd: number, spec: OciSpec): void {
  const propagation = rootPropagation(spec);
  if (propagation !== undefined) changeMount(rootFd, { propagation: propagation.type });
  if (spec.root.readonly) changeMount(rootFd, { set: MountAttribute.readOnly });
}
