/**
 * The launcher's work for one container: namespaces, the mount tree, and back. Everything here is
 * synchronous and runs on the launcher's thread. What it makes is held by descriptors alone, so when
 * it fails it closes them, goes home, and nothing is left.
 */
import { closeSync, readdirSync } from 'node:fs';
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { copyTree } from '../kernel/copy-tree.ts';
import {
  makeDirectoriesInRoot,
  O_DIRECTORY,
  O_PATH,
  openDirectory,
  openInRoot,
  readTextInRoot,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  changeMount,
  changeRootMount,
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
import { openOwnNamespace } from '../kernel/procfs.ts';
import { openTerminal } from '../kernel/pty.ts';
import { comeHome } from './come-home.ts';
import { OpenDescriptors } from './descriptors.ts';
import { bindConsole, fillDev } from './devices.ts';
import { closeTrees, type LateMounts, mountAll, type PlannedMount, planMounts } from './mounts.ts';
import { mountRootfs } from './rootfs.ts';
import type { PrepareRequest } from './runtime.ts';
import { checkSysctls, writeSysctls } from './sysctl.ts';

/** What the launcher hands to the main thread. All numbers are descriptors of the process. */
export interface Prepared {
  namespaces: Partial<Record<OciNamespaceType, number>>;
  netlinkFd: number | undefined;
  terminal: { masterFd: number; slaveFd: number } | undefined;
  late: LateMounts;
  files: Map<string, string>;
}

/** The namespaces that a thread can enter itself; pid and cgroup are the shim's. */
const threadNamespaces = ['mount', 'uts', 'ipc', 'network'] as const;

/** The largest file that `readFiles` reads from an image. */
const readFileMaxBytes = 4 * 1024 * 1024;

export function prepare(request: PrepareRequest, procFd: number): Prepared {
  checkSupported(request.spec);
  const opened = new OpenDescriptors();
  let planned: PlannedMount[] = [];
  let away = 0;
  try {
    const joined = openJoinedNamespaces(request.spec, opened);
    planned = planMounts(request.spec.mounts);
    const created = newNamespaceFlags(request.spec);
    away = created | enteredFlags(joined);
    unshare(created);
    enterJoined(joined);
    return build(request, procFd, planned, joined, opened);
  } catch (error) {
    opened.closeAll();
    closeTrees(planned.filter(isLate));
    throw error;
  } finally {
    closeTrees(planned.filter((mount) => !isLate(mount)));
    if (away !== 0) comeHome(away);
  }
}

/** Its descriptor goes on to the shim. */
function isLate(mount: PlannedMount): boolean {
  return mount.destination.startsWith('/proc/');
}

function build(
  request: PrepareRequest,
  procFd: number,
  planned: PlannedMount[],
  joined: Prepared['namespaces'],
  opened: OpenDescriptors,
): Prepared {
  const { spec } = request;
  // Nothing that is mounted here may reach the host; what the host mounts may still come in.
  changeRootMount({ propagation: Propagation.slave, recursive: true });
  const rootFd = mountRootfs(request.rootfs);
  return withFd(rootFd, () => {
    for (const { source, target } of request.copyUp ?? []) copyUp(rootFd, source, target);
    const files = readFiles(rootFd, request.readFiles ?? []);
    const { late, devptsFd } = mountAll(rootFd, planned, request.cgroupPaths, opened);
    const hasOwnDev = planned.some(
      ({ destination, type }) => destination === '/dev' && type === 'tmpfs',
    );
    if (hasOwnDev) fillDev(rootFd, spec.linux.devices ?? []);
    const terminal = spec.process.terminal ? makeTerminal(rootFd, devptsFd, opened) : undefined;
    nameHost(spec);
    writeSysctls(procFd, spec);
    makeWorkingDirectory(rootFd, spec.process.cwd);
    finishRoot(rootFd, spec);
    pivotInto(rootFd);
    if (devptsFd !== undefined) opened.close(devptsFd);
    const namespaces = openNamespaces(spec, procFd, joined, opened);
    const netlinkFd = isNew(spec, 'network')
      ? opened.add(openNetlink(NetlinkFamily.route))
      : undefined;
    return { namespaces, netlinkFd, terminal, late, files };
  });
}

function checkSupported(spec: OciSpec): void {
  const types = spec.linux.namespaces.map(({ type }) => type);
  if (types.includes('user')) throw invalid('user namespaces are not supported yet');
  if (!isNew(spec, 'mount')) throw invalid('a container needs a mount namespace of its own');
  if (spec.hostname !== undefined && spec.hostname !== '' && Buffer.byteLength(spec.hostname) > 64)
    throw invalid(`the hostname "${spec.hostname}" is longer than 64 bytes`);
  checkSysctls(spec);
}

function isNew({ linux }: OciSpec, type: OciNamespaceType): boolean {
  return linux.namespaces.some((namespace) => namespace.type === type && !namespace.path);
}

function newNamespaceFlags(spec: OciSpec): number {
  return threadNamespaces
    .filter((type) => isNew(spec, type))
    .reduce((flags, type) => flags | NamespaceFlag[type], 0);
}

function openJoinedNamespaces(spec: OciSpec, opened: OpenDescriptors): Prepared['namespaces'] {
  const joined: Prepared['namespaces'] = {};
  for (const { type, path } of spec.linux.namespaces)
    if (path !== undefined && path !== '') joined[type] = opened.add(openNamespace(path));
  return joined;
}

function enteredFlags(joined: Prepared['namespaces']): number {
  return threadNamespaces
    .filter((type) => joined[type] !== undefined)
    .reduce((flags, type) => flags | NamespaceFlag[type], 0);
}

/** The file systems that show a namespace (sysfs, mqueue) show the one of the thread that mounts. */
function enterJoined(joined: Prepared['namespaces']): void {
  for (const type of threadNamespaces) {
    const fd = joined[type];
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
    if (isNew(spec, type)) all[type] = opened.add(openOwnNamespace(procFd, namespaceFile[type]));
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

function nameHost(spec: OciSpec): void {
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
  const propagation = spec.linux.rootfsPropagation?.replace(/^r/, '');
  if (propagation !== undefined && propagation in Propagation)
    changeMount(rootFd, { propagation: Propagation[propagation as keyof typeof Propagation] });
  if (spec.root.readonly) changeMount(rootFd, { set: MountAttribute.readOnly });
}

/** Fills an empty volume with what the image has at the place where it will be mounted. */
function copyUp(rootFd: number, source: string, target: string): void {
  if (readdirSync(source).length > 0) return;
  let image: number;
  try {
    image = openInRoot(rootFd, target, O_PATH | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  withFd(image, () => withFd(openDirectory(source), (volume) => copyTree(image, volume)));
}

function readFiles(rootFd: number, paths: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of paths) {
    const text = readTextInRoot(rootFd, path, readFileMaxBytes);
    if (text !== undefined) files.set(path, text);
  }
  return files;
}
