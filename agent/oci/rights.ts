/**
 * What a process of a container may do: its first one, one that `exec` adds, and a hook that is a program
 * of its root. Nowhere else is that decided.
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

/** crun's: the groups are those of whoever called the command. */
export const keepGroups = 'run.oci.keep_original_groups';

/** What config.json, and the options of `create`, say of every process. */
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

/** Of one more process in a container that has its first one. */
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

/** What the options of `exec` change. */
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

/** As in a document: one that this runtime does not know is no error. */
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
