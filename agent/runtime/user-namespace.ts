/**
 * Namespaces of a container whose root has no rights on the host. They must be owned by its user
 * namespace, or its capabilities would not apply to them. The launcher cannot make these itself, so
 * a short-lived helper does (shim/user-namespace.c) and the launcher enters them with the host's
 * rights.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import type { OciIdMapping, OciLinux, OciSpec } from '../contract/oci-runtime.ts';
import { CortenError, invalid } from '../errors.ts';
import { hasErrno, KernelError } from '../kernel/libc.ts';
import { NamespaceFlag, namespaceFile } from '../kernel/namespaces.ts';
import { makePipe } from '../kernel/pipe.ts';
import { spawn, waitForChild } from '../kernel/process.ts';
import type { IdRange } from '../kernel/process-status.ts';
import { openNamespaceOf } from '../kernel/procfs.ts';
import {
  type IdMap,
  idOutside,
  outsideId,
  readIdMap,
  writeIdMap,
} from '../kernel/user-namespaces.ts';
import type { OpenDescriptors } from './descriptors.ts';
import { isListed, isNew } from './spec-namespaces.ts';

/** What the launcher needs of a container's user namespace. */
export interface Remapping {
  userFd: number;
  ids: IdMap;
  /** The host ids of the root inside. */
  owner: { uid: number; gid: number };
}

/** The namespaces that the helper makes. Pid and cgroup come with the container's first process. */
export type OwnedNamespace = 'mount' | 'uts' | 'ipc' | 'network';

export function isRemapped(spec: Pick<OciSpec, 'linux'>): boolean {
  return isListed(spec, 'user');
}

/** Throws invalid for settings that the kernel refuses or that make no sense. */
export function checkRemapping(spec: OciSpec): void {
  if (!isRemapped(spec)) return;
  if (!isListed(spec, 'pid'))
    throw invalid('cannot share the host PID namespace when user namespaces are enabled');
  if (!isNew(spec, 'user')) return;
  for (const ranges of [spec.linux.uidMappings, spec.linux.gidMappings])
    if (ranges === undefined || idOutside(rangesOf(ranges), 0) === undefined)
      throw invalid('a user namespace needs uidMappings and gidMappings that map 0');
}

export interface OwnedNamespaces {
  remapping: Remapping;
  fds: Partial<Record<OwnedNamespace, number>>;
}

/**
 * Makes `types` in a new user namespace, or in that of `joinedUserFd`. Descriptors are added to
 * `opened`. Blocks the calling thread until the helper is done.
 */
export function makeOwnedNamespaces(
  { procFd, programFd }: { procFd: number; programFd: number },
  linux: OciLinux,
  types: readonly OwnedNamespace[],
  joinedUserFd: number | undefined,
  opened: OpenDescriptors,
): OwnedNamespaces {
  return withHelper(programFd, types, joinedUserFd, (pid, next) => {
    next('user namespace');
    if (joinedUserFd === undefined)
      writeIdMap(procFd, pid, {
        uids: rangesOf(linux.uidMappings ?? []),
        gids: rangesOf(linux.gidMappings ?? []),
      });
    const ids = readIdMap(pid);
    next('namespaces');
    const open = (name: string) => opened.add(openNamespaceOf(procFd, pid, name));
    const fds: OwnedNamespaces['fds'] = {};
    for (const type of types) fds[type] = open(namespaceFile[type]);
    const userFd = joinedUserFd ?? open(namespaceFile.user);
    const owner = { uid: outsideId(ids, 'uids', 0), gid: outsideId(ids, 'gids', 0) };
    return { remapping: { userFd, ids, owner }, fds };
  });
}

/**
 * A user namespace without processes, from which the kernel takes a mount's id map
 * (mount_setattr(2)).
 */
export function makeMappingNamespace(
  { procFd, programFd }: { procFd: number; programFd: number },
  uids: readonly OciIdMapping[],
  gids: readonly OciIdMapping[],
): number {
  return withHelper(programFd, [], undefined, (pid, next) => {
    next('mapping of a mount');
    writeIdMap(procFd, pid, { uids: rangesOf(uids), gids: rangesOf(gids) });
    return openNamespaceOf(procFd, pid, namespaceFile.user);
  });
}

/** Runs `use` with the helper. `next` waits for the helper's next step and lets it continue. */
function withHelper<T>(
  programFd: number,
  types: readonly OwnedNamespace[],
  joinedUserFd: number | undefined,
  use: (pid: number, next: (what: string) => void) => T,
): T {
  const [word, answer] = [makePipe(), makePipe()];
  const ends = [word.writeFd, answer.readFd];
  let pid: number | undefined;
  try {
    try {
      pid = spawnHelper(programFd, types, joinedUserFd, word.readFd, answer.writeFd);
    } finally {
      for (const fd of [word.readFd, answer.writeFd]) closeSync(fd);
    }
    let started = false;
    return use(pid, (what) => {
      if (started) writeSync(word.writeFd, '.');
      started = true;
      awaitStep(answer.readFd, what);
    });
  } finally {
    // The helper ends when this pipe is closed.
    for (const fd of ends) closeSync(fd);
    if (pid !== undefined) waitForChild(pid);
  }
}

function spawnHelper(
  programFd: number,
  types: readonly OwnedNamespace[],
  joinedUserFd: number | undefined,
  stdin: number,
  stdout: number,
): number {
  const flags = types.reduce((all, type) => all | NamespaceFlag[type], 0);
  const descriptors = [stdin, stdout, stdout];
  const user = joinedUserFd === undefined ? -1 : descriptors.push(joinedUserFd) - 1;
  return spawn(programFd, ['corten-namespaces', String(flags), String(user)], descriptors);
}

function awaitStep(fd: number, what: string): void {
  const bytes = Buffer.alloc(4);
  if (readSync(fd, bytes) !== bytes.length)
    throw new CortenError('internal', `the process that makes a container's ${what} was killed`);
  const errno = bytes.readInt32LE(0);
  if (errno === 0) return;
  const error = new KernelError('unshare', errno, what);
  if (hasErrno(error, 'ENOSPC', 'EUSERS'))
    throw new CortenError(
      'unavailable',
      'the kernel allows no further user namespaces; raise user.max_user_namespaces with sysctl, or run the container with --userns=host',
      { cause: error },
    );
  throw error;
}

export function rangesOf(mappings: readonly OciIdMapping[]): IdRange[] {
  return mappings.map(({ containerID, hostID, size }) => ({
    inside: containerID,
    outside: hostID,
    count: size,
  }));
}
