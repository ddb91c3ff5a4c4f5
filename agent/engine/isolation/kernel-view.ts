/**
 * What the kernel shows for a running container, read through one descriptor of its init's
 * directory in procfs. Nothing in the container's own tree is opened, so nothing there can block
 * the engine. Names and mounts that the container chose are only text.
 */
import { existsSync } from 'node:fs';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { readControlValues } from '../../cgroup/control-values.ts';
import type { NamespaceType } from '../../contract/isolation.ts';
import { CortenError, conflict } from '../../errors.ts';
import { withFd } from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { parseMountinfo } from '../../kernel/mountinfo.ts';
import { namespaceFile } from '../../kernel/namespaces.ts';
import { parseLimits } from '../../kernel/process-limits.ts';
import { parseIdMap, parseStatus } from '../../kernel/process-status.ts';
import { namespaceId, openProcessDirectory, readProcfs } from '../../kernel/procfs.ts';
import { namesInMask } from '../../runtime/capabilities.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';
import { kernelPathStates } from './kernel-paths.ts';
import { type IsolationView, type NamespaceView, namespaceTypes } from './view.ts';

export interface KernelViewSubject {
  id: string;
  process: ProcessHandle;
  cgroup: Cgroup;
}

/** The kernel allows 100,000 mounts in a namespace; a report lists this many. */
const mostMounts = 1000;
const mountinfoBytes = 8 * 1024 * 1024;

const namespaceNames: Record<NamespaceType, string> = { ...namespaceFile, time: 'time' };

/**
 * Reads the view. `paths` are the paths whose state is wanted. Throws conflict when the container
 * has just ended.
 */
export function readKernelView(
  procFd: number,
  container: KernelViewSubject,
  others: readonly KernelViewSubject[],
  paths: readonly string[],
): IsolationView {
  return withProcess(procFd, container.process, (directory) => {
    const text = (path: string) => readProcfs(directory, path).text;
    const status = parseStatus(text('status'));
    const { text: mountinfo } = readProcfs(directory, 'mountinfo', mountinfoBytes);
    const mounts = parseMountinfo(mountinfo);
    const { capabilities } = status;
    const controllers = controllersOf(container.cgroup, text('cgroup'));
    return {
      namespaces: namespacesOf(procFd, directory, others),
      controllers,
      capabilities: {
        effective: namesInMask(capabilities.effective),
        permitted: namesInMask(capabilities.permitted),
        bounding: namesInMask(capabilities.bounding),
        ambient: namesInMask(capabilities.ambient),
        inheritable: namesInMask(capabilities.inheritable),
      },
      noNewPrivileges: status.noNewPrivileges,
      seccomp: status.seccomp,
      securityLabel: labelOf(directory),
      uid: status.uid,
      gid: status.gid,
      groups: status.groups,
      uidMap: parseIdMap(text('uid_map')),
      gidMap: parseIdMap(text('gid_map')),
      mounts: mounts.slice(0, mostMounts),
      unlistedMounts: Math.max(0, mounts.length - mostMounts),
      kernelPaths: kernelPathStates(mounts, paths, existsSync),
      devices: devicesOf(controllers),
      resourceLimits: parseLimits(text('limits')),
    };
  });
}

/** Runs `read` on a process's directory and returns its result only if the pidfd still answers. */
function withProcess<T>(procFd: number, process: ProcessHandle, read: (directory: number) => T): T {
  try {
    return withFd(openProcessDirectory(procFd, process.pid), (directory) => {
      process.signal(0);
      return read(directory);
    });
  } catch (error) {
    // The descriptor belongs to this process, so such an error means that it has ended.
    if (hasErrno(error, 'ENOENT', 'ESRCH')) throw conflict('the container has just ended', error);
    throw error;
  }
}

function namespacesOf(
  procFd: number,
  directory: number,
  others: readonly KernelViewSubject[],
): NamespaceView[] {
  const inside = namespaceIds(directory);
  const host = withFd(openProcessDirectory(procFd, 'self'), namespaceIds);
  const theirs = others.map(({ id, process }) => ({ id, ids: idsOf(procFd, process) }));
  return namespaceTypes
    .filter((type) => host[type] !== undefined)
    .map((type) => {
      const sharedWith = theirs
        .filter(({ ids }) => ids[type] !== undefined && ids[type] === inside[type])
        .map(({ id }) => id);
      const scope = inside[type] === host[type] ? 'host' : sharedWith.length > 0 ? 'shared' : 'own';
      return {
        type,
        ...(inside[type] !== undefined && { insideId: inside[type] }),
        ...(host[type] !== undefined && { hostId: host[type] }),
        scope,
        sharedWith: scope === 'host' ? [] : sharedWith,
      };
    });
}

type NamespaceIds = Partial<Record<NamespaceType, number>>;

function namespaceIds(directory: number): NamespaceIds {
  return Object.fromEntries(
    Object.entries(namespaceNames).map(([type, name]) => [type, namespaceId(directory, name)]),
  );
}

/** A container that ended meanwhile shares no namespace any more. */
function idsOf(procFd: number, process: ProcessHandle): NamespaceIds {
  try {
    return withProcess(procFd, process, namespaceIds);
  } catch (error) {
    if (error instanceof CortenError && error.kind === 'conflict') return {};
    throw error;
  }
}

/** Parses `4:memory:/corten-…/<id>`, or `0::/corten-…/<id>` on v2 (cgroups(7)). */
function controllersOf(cgroup: Cgroup, memberships: string): IsolationView['controllers'] {
  const places = new Map<string, string>();
  for (const line of memberships.split('\n')) {
    const [, names, ...path] = line.split(':');
    for (const name of names?.split(',') ?? []) places.set(name, path.join(':'));
  }
  const unified = cgroup.paths.has('');
  return readControlValues(cgroup).map((values) => {
    const name = values.controller === 'io' && !unified ? 'blkio' : values.controller;
    const membership = places.get(unified ? '' : name);
    return { ...values, ...(membership !== undefined && { membership }) };
  });
}

/** On v2 the device program cannot be read back. */
function devicesOf(controllers: IsolationView['controllers']): IsolationView['devices'] {
  const list = controllers
    .flatMap(({ values }) => values)
    .find(({ file }) => file === 'devices.list');
  return { source: list ? 'kernel' : 'record', rules: list?.value.split('\n') ?? [] };
}

/** Without a security module the file is missing or answers EINVAL. */
function labelOf(directory: number): string | undefined {
  try {
    const label = readProcfs(directory, 'attr/current').text.replace(/[\0\n]+$/, '');
    return label === '' ? undefined : label;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}
