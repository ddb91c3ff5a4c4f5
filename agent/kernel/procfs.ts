/**
 * procfs through a mount that is attached nowhere: nobody can mount anything over what lies in it,
 * so what is written really goes to the kernel (CVE-2025-52881).
 */
import { closeSync, constants, readSync, writeSync } from 'node:fs';
import {
  O_DIRECTORY,
  O_PATH,
  openat2,
  openDirectory,
  Resolve,
  readlinkat,
  withFd,
} from './files.ts';
import { hasErrno, libcCall } from './libc.ts';
import { cloneMount, MountAttribute, newFilesystem } from './mount.ts';

const PROC_SUPER_MAGIC = 0x9fa0;
/** Whoever names a file of procfs means the one in this very mount. */
const withinProcfs = Resolve.beneath | Resolve.noXdev | Resolve.noMagicLinks;

const fstatfsCall = libcCall('fstatfs', ['int', 'void *']);

/** `f_type` of the file system that `fd` lies on. */
export function filesystemMagic(fd: number): number {
  const buffer = Buffer.alloc(128);
  fstatfsCall(undefined, fd, buffer);
  return Number(buffer.readBigInt64LE(0));
}

/** A procfs of the calling process's pid namespace, to be kept and closed by the caller. */
export function openProcfs(): number {
  const fd = newProcfs();
  if (filesystemMagic(fd) === PROC_SUPER_MAGIC) return fd;
  closeSync(fd);
  throw new Error('the kernel mounted something else than procfs');
}

function newProcfs(): number {
  const { noSuid, noDev, noExec } = MountAttribute;
  try {
    return newFilesystem('proc', [], noSuid | noDev | noExec);
  } catch (error) {
    if (!hasErrno(error, 'EPERM')) throw error;
    // Another's pid namespace, as without root: a copy of its mount, over which nobody can mount either.
    // With all that lies on it, for what a mount hides stays hidden in a user namespace.
    return copyOfProcfs();
  }
}

/** A detached copy of the procfs at `/proc`, with what is mounted on it. */
export function copyOfProcfs(): number {
  return withFd(openDirectory('/proc'), (fd) => cloneMount(fd, true, '/proc'));
}

/** Writes one value. `path` is relative to procfs, such as `sys/net/ipv4/ip_forward`. */
export function writeProcfs(procFd: number, path: string, value: string): void {
  withFd(openat2(procFd, path, constants.O_WRONLY, withinProcfs), (fd) => writeSync(fd, value));
}

/** Opens one of the calling thread's own namespaces; `name` is its name in `/proc/<pid>/ns`. */
export function openOwnNamespace(procFd: number, name: string): number {
  // A namespace's file is a magic link, and this is our own procfs: here following it is the point.
  return openat2(procFd, `thread-self/ns/${name}`, constants.O_RDONLY, 0);
}

/** Opens a namespace of another process; `name` is its name in `/proc/<pid>/ns`. */
export function openNamespaceOf(procFd: number, pid: number, name: string): number {
  return openat2(procFd, `${pid}/ns/${name}`, constants.O_RDONLY, 0);
}

/** An O_PATH descriptor of another process's root directory, as that process sees it. */
export function openRootOf(procFd: number, pid: number): number {
  return openat2(procFd, `${pid}/root`, O_PATH, 0);
}

/**
 * A process's own directory in procfs, O_PATH. It stays that process's: once it has ended, reading
 * below it fails with ESRCH (or ENOENT), also when another process got its number. Throws ENOENT
 * when there is no such process.
 */
export function openProcessDirectory(procFd: number, pid: number | 'self'): number {
  const own = pid === 'self' ? process.pid : pid;
  return openat2(procFd, String(own), O_PATH | O_DIRECTORY, withinProcfs);
}

export interface ProcfsText {
  text: string;
  /** False when there was more than was asked for; the last line is then cut. */
  complete: boolean;
}

const chunkBytes = 64 * 1024;
/** Reading is synchronous, so one serves all. */
const chunk = Buffer.allocUnsafe(chunkBytes);

/** Reads a file of procfs below `directoryFd`, such as `status`, up to about `maxBytes`. */
export function readProcfs(directoryFd: number, path: string, maxBytes = chunkBytes): ProcfsText {
  return withFd(openat2(directoryFd, path, constants.O_RDONLY, withinProcfs), (fd) => {
    const parts: Buffer[] = [];
    for (let length = 0; length < maxBytes; ) {
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) return { text: Buffer.concat(parts).toString('utf8'), complete: true };
      parts.push(Buffer.from(chunk.subarray(0, count)));
      length += count;
    }
    return { text: Buffer.concat(parts).toString('utf8'), complete: false };
  });
}

/** A namespace's number, unique on this machine; undefined when the kernel has none of that kind. */
export function namespaceId(directoryFd: number, name: string): number | undefined {
  try {
    // The link's text is read, not followed: `net:[4026531840]`.
    return Number(/\[(\d+)\]$/.exec(readlinkat(directoryFd, `ns/${name}`))?.[1]);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The pid that a process has in its own pid namespace (proc_pid_status(5), NSpid). */
export function readPidInside(procFd: number, pid: number): number {
  const { text } = readProcfs(procFd, `${pid}/status`);
  const pids = /^NSpid:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? [];
  return Number(pids.at(-1) ?? pid);
}
