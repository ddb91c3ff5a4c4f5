/** The plan of the shim's child up to the image's process. */

import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { MountAttribute } from '../kernel/mount.ts';
import { NamespaceFlag } from '../kernel/namespaces.ts';
import { mountPath, rootPropagation } from './mount-options.ts';
import { type ShimConfig, ShimFd, type Step } from './plan.ts';
import type { Prepared } from './prepare.ts';
import {
  type BeforeExec,
  type ProcessExtras,
  processSteps,
  userEntrySteps,
} from './process-steps.ts';
import { labelSteps } from './security-labels.ts';
import type { DescriptorTable } from './shim.ts';
import { isNew } from './spec-namespaces.ts';
import { timeSteps } from './time-namespace.ts';
import { isRemapped } from './user-namespace.ts';

export function containerSteps(
  spec: OciSpec,
  prepared: Prepared,
  placement: CgroupPlacement,
  stdio: readonly (number | undefined)[],
  descriptors: DescriptorTable,
  init: boolean,
  gates?: Gates,
): Step[] {
  return [
    ...entrySteps(spec.process.oomScoreAdj, placement, descriptors),
    ...sandboxSteps(spec, prepared, stdio, descriptors, init, gates),
  ];
}

/** The steps that need the sandbox: all that follow the entry into the cgroup. */
export function sandboxSteps(
  spec: OciSpec,
  prepared: Prepared,
  stdio: readonly (number | undefined)[],
  descriptors: DescriptorTable,
  init: boolean,
  gates?: Gates,
): Step[] {
  const { procs, attach } = prepared.late;
  // The order in which descriptors are added is the ascending order that `close` expects.
  const kept =
    gates === undefined
      ? []
      : [
          ...[gates.start.gateFd, gates.start.reportsFd, ...gates.preservedFds],
          ...(gates.listenerGateFd === undefined ? [] : [gates.listenerGateFd]),
        ];
  const keep = kept.map((fd) => descriptors.add(fd));
  return [
    ...(['uts', 'ipc', 'network', 'mount'] as const).flatMap((type) =>
      setnsSteps(type, prepared.namespaces[type], descriptors),
    ),
    ...setnsSteps('cgroup', prepared.namespaces.cgroup, descriptors),
    ...setnsSteps('time', prepared.namespaces.time, descriptors),
    ...timeSteps(spec),
    { do: 'stdio', fds: stdio },
    ...userSteps(spec, prepared, descriptors),
    ...cgroupNamespaceSteps(spec),
    ...hooksGate(gates, descriptors),
    ...pivotSteps(spec, prepared, descriptors, gates),
    ...labelSteps(spec.process),
    { do: 'session', terminal: spec.process.terminal === true },
    ...procs.map((proc) => ({ do: 'mountProc', ...proc }) as const),
    ...attach.map(({ fd, path }) => ({ do: 'attach', fd: descriptors.add(fd), path }) as const),
    // A tree that is attached nowhere has no list of mounts whose order could matter.
    ...(gates === undefined || prepared.borrowedFd !== undefined ? [] : mountsAfterProc(spec)),
    ...(spec.linux.readonlyPaths ?? []).map((path) => ({ do: 'readonly', path }) as const),
    ...(spec.linux.maskedPaths ?? []).map((path) => ({ do: 'mask', path }) as const),
    ...(prepared.borrowedFd === undefined ? [] : [{ do: 'carryRoot' } as const]),
    { do: 'close', keep },
    ...processSteps(spec.process, spec.linux.seccomp, init, prepared.ids, gates && atExec(gates)),
  ];
}

/**
 * Where the child of an OCI command waits (agent/oci): for hooks that run in the host's mount tree,
 * and before execve for `start`.
 */
export interface Gates {
  /** The read end of a pipe. Undefined without such hooks. */
  hooksFd: number | undefined;
  start: { gateFd: number; reportsFd: number };
  /** The caller's descriptors that become 3 and following. */
  preservedFds: readonly number[];
  /** The read end of a pipe, if the seccomp filter has a listener. */
  listenerGateFd: number | undefined;
  /** Mounts the new root on top of the host's instead of pivoting (`--no-pivot`). */
  noPivot: boolean;
  extras: ProcessExtras;
}

/**
 * Only the container's own process can mount /proc, after all other mounts. Mounts that the spec
 * lists after /proc are made again, to keep the listed order (config.md, "Mounts").
 */
function mountsAfterProc({ mounts }: OciSpec): Step[] {
  const paths = mounts.map(({ destination }) => mountPath(destination));
  const proc = paths.indexOf('/proc');
  const isBelow = (path: string, others: string[]) =>
    others.some((other) => path === other || path.startsWith(`${other}/`));
  const renewed = (proc < 0 ? [] : paths.slice(proc + 1))
    .filter((path, index, all) => !isBelow(path, ['/proc', ...all.slice(0, index)]))
    .map((path) => ({ do: 'renew', path }) as const);
  const unbindable = mounts.flatMap(({ destination, options = [] }) => {
    const option = options.findLast((one) => one === 'unbindable' || one === 'runbindable');
    const recursive = option === 'runbindable';
    return option ? [{ do: 'unbindable', path: mountPath(destination), recursive } as const] : [];
  });
  return [...renewed, ...unbindable];
}

function hooksGate(gates: Gates | undefined, descriptors: DescriptorTable): Step[] {
  const fd = gates?.hooksFd;
  return fd === undefined ? [] : [{ do: 'wait', gate: descriptors.add(fd), reports: undefined }];
}

function atExec({ preservedFds, extras }: Gates): BeforeExec {
  const [gate, reports, first] = [ShimFd.firstFree, ShimFd.firstFree + 1, ShimFd.firstFree + 2];
  const preserved = { first, count: preservedFds.length };
  return {
    ...extras,
    steps: [{ do: 'wait', gate, reports }],
    preserved,
    // Without a notifying filter there is no such gate, and nobody waits at it.
    listenerGate: first + preserved.count,
  };
}

function pivotSteps(
  spec: OciSpec,
  { rootFd, borrowedFd }: Prepared,
  descriptors: DescriptorTable,
  gates: Gates | undefined,
): Step[] {
  if (rootFd === undefined) return [];
  const attributes = spec.root.readonly ? MountAttribute.readOnly : 0;
  const borrowed = borrowedFd === undefined ? [] : [descriptors.add(borrowedFd)];
  // Nothing is mounted into a tree that is attached nowhere, so it has no propagation.
  const { type = 0n, recursive = false } = (borrowed.length === 0 && rootPropagation(spec)) || {};
  const fd = descriptors.add(rootFd);
  const covers = gates?.noPivot === true;
  return [
    ...borrowed.map((one) => ({ do: 'borrowMounts', fd: one }) as const),
    { do: 'pivot', fd, attributes, propagation: type, recursive, covers },
  ];
}

/**
 * Steps that run in the host's namespaces. The cgroup comes first, so that everything after it is
 * accounted to the container.
 */
export function entrySteps(
  oomScoreAdj: number | undefined,
  placement: CgroupPlacement,
  descriptors: DescriptorTable,
): Step[] {
  return [
    ...placement.procsFds.map(
      (fd) => ({ do: 'write', fd: descriptors.add(fd), text: '0' }) as const,
    ),
    ...(oomScoreAdj === undefined
      ? []
      : [{ do: 'procWrite', path: 'self/oom_score_adj', text: String(oomScoreAdj) } as const]),
  ];
}

export function setnsSteps(
  type: OciNamespaceType,
  fd: number | undefined,
  descriptors: DescriptorTable,
): Step[] {
  return fd === undefined
    ? []
    : [{ do: 'setns', fd: descriptors.add(fd), flag: NamespaceFlag[type] }];
}

/**
 * The pid namespace of a container with a user namespace is made only after its first process has
 * entered the latter.
 */
export function cloneOptions(spec: OciSpec): Pick<ShimConfig, 'cloneFlags' | 'moves'> {
  const moves = isNew(spec, 'pid') && isRemapped(spec);
  return { cloneFlags: isNew(spec, 'pid') && !moves ? NamespaceFlag.pid : 0, moves };
}

/** All following steps run as the container's root. */
function userSteps(spec: OciSpec, prepared: Prepared, descriptors: DescriptorTable): Step[] {
  const { ids, namespaces } = prepared;
  if (ids === undefined || namespaces.user === undefined) return [];
  const cloneFlags = isNew(spec, 'pid') ? NamespaceFlag.pid : 0;
  return userEntrySteps(spec.process, ids, { fd: descriptors.add(namespaces.user), cloneFlags });
}

/** This follows the entry into the cgroup, which becomes the root of the cgroup namespace. */
function cgroupNamespaceSteps(spec: OciSpec): Step[] {
  return isNew(spec, 'cgroup') ? [{ do: 'unshare', flags: NamespaceFlag.cgroup }] : [];
}
