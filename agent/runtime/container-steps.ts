/** What the shim's child does to become a container's first process. */

import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciNamespaceType, OciSpec } from '../contract/oci-runtime.ts';
import { NamespaceFlag } from '../kernel/namespaces.ts';
import type { Step } from './plan.ts';
import type { Prepared } from './prepare.ts';
import { processSteps, userEntrySteps } from './process-steps.ts';
import type { ShimDescriptors } from './shim.ts';

export function containerSteps(
  spec: OciSpec,
  prepared: Prepared,
  placement: CgroupPlacement,
  stdio: readonly (number | undefined)[],
  descriptors: ShimDescriptors,
  init: boolean,
): Step[] {
  const { proc, attach } = prepared.late;
  return [
    ...entrySteps(spec.process.oomScoreAdj, placement, descriptors),
    ...(['uts', 'ipc', 'network', 'mount'] as const).flatMap((type) =>
      setnsSteps(type, prepared.namespaces[type], descriptors),
    ),
    ...setnsSteps('cgroup', prepared.namespaces.cgroup, descriptors),
    { do: 'stdio', fds: stdio },
    ...userSteps(spec, prepared, descriptors),
    ...cgroupNamespaceSteps(spec, prepared),
    { do: 'session', terminal: spec.process.terminal === true },
    ...(proc === undefined ? [] : [{ do: 'mountProc', ...proc } as const]),
    ...attach.map(({ fd, path }) => ({ do: 'attach', fd: descriptors.add(fd), path }) as const),
    ...(spec.linux.readonlyPaths ?? []).map((path) => ({ do: 'readonly', path }) as const),
    ...(spec.linux.maskedPaths ?? []).map((path) => ({ do: 'mask', path }) as const),
    { do: 'close' },
    ...processSteps(spec.process, spec.linux.seccomp, init, prepared.ids),
  ];
}

/** Still in the host's namespaces: the control group first, so that all that follows is counted. */
export function entrySteps(
  oomScoreAdj: number | undefined,
  placement: CgroupPlacement,
  descriptors: ShimDescriptors,
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
  descriptors: ShimDescriptors,
): Step[] {
  return fd === undefined
    ? []
    : [{ do: 'setns', fd: descriptors.add(fd), flag: NamespaceFlag[type] }];
}

export function needsPidNamespace({ linux }: OciSpec): boolean {
  return linux.namespaces.some(({ type, path }) => type === 'pid' && !path);
}

/** From here on the steps are done by the container's root. */
function userSteps(spec: OciSpec, prepared: Prepared, descriptors: ShimDescriptors): Step[] {
  const { ids, namespaces } = prepared;
  if (ids === undefined || namespaces.user === undefined) return [];
  const cloneFlags = needsPidNamespace(spec) ? NamespaceFlag.pid : 0;
  return userEntrySteps(spec.process, ids, { fd: descriptors.add(namespaces.user), cloneFlags });
}

/** After the group was joined, so that the namespace's root is that group. */
function cgroupNamespaceSteps(spec: OciSpec, prepared: Prepared): Step[] {
  if (prepared.namespaces.cgroup !== undefined) return [];
  const isNew = spec.linux.namespaces.some(({ type }) => type === 'cgroup');
  return isNew ? [{ do: 'unshare', flags: NamespaceFlag.cgroup }] : [];
}
