/** The isolation that the record asks for, whatever the kernel shows. */

import type { KernelPathFact } from '../../contract/isolation.ts';
import { defaultMaskedPaths, defaultReadonlyPaths } from '../../runtime/default-spec.ts';
import { capabilitiesOf } from '../spec/process.ts';
import { hiddenPaths } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';

export interface RequestedIsolation {
  capabilities: ReadonlySet<string>;
  noNewPrivileges: boolean;
  seccomp: 'default' | 'custom' | 'unconfined';
  privileged: boolean;
  /** Every path that the default masks or makes read-only, and those that the request named. */
  kernelPaths: ReadonlyMap<string, KernelPathFact['asked']>;
  /** docker's names of the resource limits that were set. */
  ulimits: ReadonlySet<string>;
}

export function requestedIsolation({ settings }: ContainerRecord): RequestedIsolation {
  const { security, ulimits } = settings;
  const { maskedPaths = [], readonlyPaths = [] } = hiddenPaths(settings);
  const kernelPaths = new Map<string, KernelPathFact['asked']>();
  for (const path of [...defaultMaskedPaths(), ...defaultReadonlyPaths])
    kernelPaths.set(path, 'open');
  for (const path of readonlyPaths) kernelPaths.set(path, 'read-only');
  for (const path of maskedPaths) kernelPaths.set(path, 'masked');
  return {
    capabilities: new Set(capabilitiesOf(settings)),
    noNewPrivileges: security.noNewPrivileges,
    seccomp: typeof security.seccomp === 'object' ? 'custom' : security.seccomp,
    privileged: security.privileged,
    kernelPaths,
    ulimits: new Set(ulimits.map(({ name }) => name.toLowerCase())),
  };
}
