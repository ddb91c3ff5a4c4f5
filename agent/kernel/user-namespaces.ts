/**
 * User namespaces (user_namespaces(7)): maps IDs between inside and outside. The shim creates and enters them, since
 * a process of several threads can do neither.
 */
import { readFileSync, statSync } from 'node:fs';
import { invalid } from '../errors.ts';
import { libcCall, systemCall } from './libc.ts';
import { type IdRange, parseIdMap } from './process-status.ts';
import { writeProcfs } from './procfs.ts';

export interface IdMap {
  uids: readonly IdRange[];
  gids: readonly IdRange[];
}

const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
const SECBIT_NO_SETUID_FIXUP = 4;

const prctlCall = libcCall('prctl', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
// The system call changes only the thread; the C library's setresuid would change every thread.
const setresuidNumber: Partial<Record<string, number>> = { x64: 117, arm64: 147 };
const setresuidCall = systemCall('setresuid', setresuidNumber[process.arch] ?? -1, [
  'uint',
  'uint',
  'uint',
]);
const unchanged = 0xffff_ffff;
const setfsuidCall = libcCall('setfsuid', ['uint']);
const setfsgidCall = libcCall('setfsgid', ['uint']);

/** ID outside; `undefined` for an ID that is not mapped. */
export function idOutside(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ inside, count }) => id >= inside && id < inside + count);
  return range === undefined ? undefined : range.outside + (id - range.inside);
}

/** ID on the machine of a container's ID. Throws invalid when the container has no such ID. */
export function outsideId(ids: IdMap | undefined, kind: 'uids' | 'gids', id: number): number {
  const outside = ids === undefined ? id : idOutside(ids[kind], id);
  if (outside === undefined)
    throw invalid(
      `${kind === 'uids' ? 'user' : 'group'} id ${id} is not one of the container's: its user namespace has ${ids![
        kind
      ]
        .map(({ inside, count }) => `${inside} to ${inside + count - 1}`)
        .join(', ')}`,
    );
  return outside;
}

/** Writes the ID maps of the user namespace that process `pid` has just created, which the kernel allows only once. */
export function writeIdMap(procFd: number, pid: number, { uids, gids }: IdMap): void {
  const lines = (ranges: readonly IdRange[]) =>
    ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');
  writeProcfs(procFd, `${pid}/uid_map`, lines(uids));
  writeProcfs(procFd, `${pid}/gid_map`, lines(gids));
}

/**
 * ID maps of a process's user namespace; `undefined` when it is the agent's own. Throws ENOENT or ESRCH when the
 * process has ended: the caller must verify afterwards that the PID still means the same process.
 */
export function foreignIdMap(pid: number): IdMap | undefined {
  // A process of several threads cannot enter another user namespace (setns(2)), so the agent's own never changes.
  ownNamespace ??= userNamespaceInode('self');
  return userNamespaceInode(pid) === ownNamespace ? undefined : readIdMap(pid);
}

let ownNamespace: number | undefined;

function userNamespaceInode(process: number | 'self'): number {
  return statSync(`/proc/${process}/ns/user`).ino;
}

let confined: boolean | undefined;

/**
 * Whether the agent is root only of a user namespace: the kernel then allows mounts, chown and routes inside it, and
 * refuses what affects the machine (device nodes, the machine's file systems, its clock).
 */
export function inUserNamespace(): boolean {
  confined ??= !readIdMap('self').uids.some(
    ({ inside, outside, count }) => inside === 0 && outside === 0 && count === unchanged,
  );
  return confined;
}

let groups: readonly IdRange[] | undefined;

/** Last group ID of those that exist from 0 on without a gap. */
export function lastGroupId(): number {
  groups ??= readIdMap('self').gids;
  let end = 0;
  for (const { inside, count } of [...groups].sort((a, b) => a.inside - b.inside))
    if (inside === end) end += count;
  return end - 1;
}

/**
 * ID maps of a process's user namespace; `undefined` when it is the agent's own. Throws ENOENT or ESRCH when the
 * process has ended: the caller must verify afterwards that the PID still means the same process.
 */
export function readIdMap(pid: number | 'self'): IdMap {
  const read = (name: string) => parseIdMap(readFileSync(`/proc/${pid}/${name}`, 'utf8'));
  return { uids: read('uid_map'), gids: read('gid_map') };
}

/**
 * Runs `work`, during which files created by the calling thread belong to these IDs, with all capabilities kept
 * (credentials(7), "File system user ID"; capabilities(7), SECBIT_NO_SETUID_FIXUP).
 */
export function asFileOwner<T>(uid: number, gid: number, work: () => T): T {
  return keepingCapabilities(() => {
    const before = { uid: setfsuidCall(undefined, uid), gid: setfsgidCall(undefined, gid) };
    try {
      return work();
    } finally {
      setfsuidCall(undefined, before.uid);
      setfsgidCall(undefined, before.gid);
    }
  });
}

/** Runs `work` with another effective user of the calling thread, with all capabilities kept. */
export function asEffectiveUser(uid: number, work: () => void): void {
  const before = process.geteuid?.() ?? 0;
  keepingCapabilities(() => {
    setresuidCall(`user ${uid}`, unchanged, uid, unchanged);
    try {
      work();
    } finally {
      setresuidCall(`user ${before}`, unchanged, before, unchanged);
    }
  });
}

function keepingCapabilities<T>(work: () => T): T {
  const bits = prctlCall('securebits', PR_GET_SECUREBITS, 0, 0, 0, 0);
  prctlCall('securebits', PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
  try {
    return work();
  } finally {
    prctlCall('securebits', PR_SET_SECUREBITS, bits, 0, 0, 0);
  }
}
