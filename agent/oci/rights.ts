/**
 * Privileges of a container's processes: the first one, one of `exec`, and a hook that is a program of its root. They
 * are decided only here.
 */
import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';
import { canonicalCapability } from '../runtime/capabilities.ts';
import type { ExecRights } from '../runtime/detached.ts';
import type { ProcessExtras } from '../runtime/process-steps.ts';
import { isListed, ownsMounts } from '../runtime/spec-namespaces.ts';
import type { Container } from './container.ts';
import type { ContainerRecord } from './container-store.ts';
import { listenerOf } from './seccomp-listener.ts';

/** Annotation of crun: processes keep the supplementary groups of the command's caller. */
export const keepGroups = 'run.oci.keep_original_groups';

/** Settings of every process from config.json and the options of `create`. */
export function extrasOf(
  { linux, annotations }: OciSpec,
  { keepsKeyring }: ContainerRecord,
): ProcessExtras {
  return {
    personality: linux.personality,
    keepsKeyring: keepsKeyring === true,
    keepsGroups: ['1', 'true'].includes(annotations?.[keepGroups] ?? ''),
  };
}

/** Privileges of a further process in a container whose first one exists. */
export function rightsOf(
  container: Container,
  spec: OciSpec,
  process: OciProcess,
  placement: CgroupPlacement,
): ExecRights {
  const { seccomp } = spec.linux;
  return {
    process,
    seccomp,
    listener: listenerOf(seccomp, container, () => container.status()),
    placement,
    ownsMounts: ownsMounts(spec),
    inTime: isListed(spec, 'time'),
    extras: extrasOf(spec, container.record),
  };
}

/** Changes by options of `exec`. */
export interface ChangedRights {
  capabilities: readonly string[];
  noNewPrivileges: boolean;
  apparmorProfile: string | undefined;
  selinuxLabel: string | undefined;
}

export function withChangedRights(
  process: OciProcess,
  { capabilities, noNewPrivileges, apparmorProfile, selinuxLabel }: ChangedRights,
  warn: (text: string) => void,
): OciProcess {
  return {
    ...process,
    capabilities: withCapabilities(process.capabilities, knownOf(capabilities, warn)),
    noNewPrivileges: noNewPrivileges || process.noNewPrivileges === true,
    ...(apparmorProfile && { apparmorProfile }),
    ...(selinuxLabel && { selinuxLabel }),
  };
}

/** Drops unknown capabilities with a warning, as in a document. */
function knownOf(names: readonly string[], warn: (text: string) => void): string[] {
  return names.flatMap((name) => {
    try {
      return [canonicalCapability(name)];
    } catch (error) {
      warn((error as Error).message);
      return [];
    }
  });
}

function withCapabilities(own: OciProcess['capabilities'], names: readonly string[]) {
  if (names.length === 0) return own;
  const plus = (set: readonly string[] | undefined) => [...new Set([...(set ?? []), ...names])];
  return {
    ...own,
    bounding: plus(own?.bounding),
    effective: plus(own?.effective),
    permitted: plus(own?.permitted),
  };
}
