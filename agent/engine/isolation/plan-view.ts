/** The isolation that a start would ask the kernel for, for a container that does not run. */
import { existsSync, readFileSync } from 'node:fs';
import { deviceRuleLine } from '../../cgroup/devices.ts';
import type { NamespaceType } from '../../contract/isolation.ts';
import type { OciMount } from '../../contract/oci-runtime.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';
import { parseLimits, type ResourceLimit } from '../../kernel/process-limits.ts';
import { idOutside } from '../../kernel/user-namespaces.ts';
import { isListed } from '../../runtime/spec-namespaces.ts';
import { rangesOf } from '../../runtime/user-namespace.ts';
import type { BuiltSpec } from '../spec/spec.ts';
import type { RequestedIsolation } from './requested.ts';
import { resourceLimits } from './resource-limits.data.ts';
import { type IsolationView, type NamespaceView, namespaceTypes } from './view.ts';

/** Without a user namespace every id maps to itself (user_namespaces(7)). */
const everyId = [{ inside: 0, outside: 0, count: 2 ** 32 - 1 }];

/** `joined` holds the ids of the containers whose namespaces this one joins, by type. */
export function planView(
  { spec, deviceRules }: BuiltSpec,
  asked: RequestedIsolation,
  joined: Partial<Record<NamespaceType, string>>,
): IsolationView {
  const { process, linux } = spec;
  const uidMap = linux.uidMappings ? rangesOf(linux.uidMappings) : everyId;
  const gidMap = linux.gidMappings ? rangesOf(linux.gidMappings) : everyId;
  const { effective, permitted, bounding, ambient, inheritable } = process.capabilities ?? {};
  return {
    namespaces: namespaceTypes.map((type): NamespaceView => {
      const other = joined[type];
      if (other !== undefined) return { type, scope: 'shared', sharedWith: [other] };
      return { type, scope: isListed(spec, type) ? 'own' : 'host', sharedWith: [] };
    }),
    controllers: [],
    capabilities: {
      effective: effective ?? [],
      permitted: permitted ?? [],
      bounding: bounding ?? [],
      ambient: ambient ?? [],
      inheritable: inheritable ?? [],
    },
    noNewPrivileges: process.noNewPrivileges === true,
    seccomp: linux.seccomp === undefined ? 'none' : 'filter',
    securityLabel: undefined,
    uid: idOutside(uidMap, process.user.uid) ?? process.user.uid,
    gid: idOutside(gidMap, process.user.gid) ?? process.user.gid,
    groups: (process.user.additionalGids ?? []).map((gid) => idOutside(gidMap, gid) ?? gid),
    uidMap,
    gidMap,
    mounts: [rootOf(spec.root.readonly === true), ...spec.mounts.map(entryOf)],
    unlistedMounts: 0,
    kernelPaths: new Map(
      [...asked.kernelPaths].map(([path, wanted]) => [path, existsSync(path) ? wanted : 'absent']),
    ),
    devices: { source: 'record', rules: deviceRules.map(deviceRuleLine) },
    resourceLimits: plannedLimits(process.rlimits ?? []),
  };
}

function rootOf(readOnly: boolean): MountEntry {
  const options = [readOnly ? 'ro' : 'rw'];
  return {
    id: 0,
    parentId: 0,
    device: '',
    root: '/',
    mountPoint: '/',
    options,
    type: 'overlay',
    source: 'overlay',
    superOptions: [],
  };
}

function entryOf({
  destination,
  type = 'none',
  source = type,
  options = [],
}: OciMount): MountEntry {
  return {
    id: 0,
    parentId: 0,
    device: '',
    root: '/',
    mountPoint: destination,
    options,
    type,
    source,
    superOptions: [],
  };
}

/** A limit that was not requested is inherited from the engine. */
function plannedLimits(
  asked: readonly { type: string; soft: number; hard: number }[],
): ResourceLimit[] {
  const values = new Map(
    asked.map(({ type, soft, hard }) => [
      type.replace('RLIMIT_', '').toLowerCase(),
      { soft, hard },
    ]),
  );
  return parseLimits(readFileSync('/proc/self/limits', 'utf8')).map((limit) => {
    const ulimit = resourceLimits.find(({ name }) => name === limit.name)?.ulimit ?? '';
    const value = values.get(ulimit);
    if (value === undefined) return limit;
    return { ...limit, soft: shown(value.soft), hard: shown(value.hard) };
  });
}

function shown(value: number): string {
  return value === -1 ? 'unlimited' : String(value);
}
