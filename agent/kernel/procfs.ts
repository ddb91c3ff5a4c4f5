/**
 * Accesses procfs through a detached mount: nobody can mount anything over its files, so that writes really reach the
 * kernel (CVE-2025-52881).
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
/** Flags that keep a path inside this mount. */
const withinProcfs = Resolve.beneath | Resolve.noXdev | Resolve.noMagicLinks;

const fstatfsCall = libcCall('fstatfs', ['int', 'void *']);

/** The `f_type` of the file system of `fd` (statfs(2)). */
export function filesystemMagic(fd: number): number {
  const buffer = Buffer.alloc(128);
  fstatfsCall(undefined, fd, buffer);
  return Number(buffer.readBigInt64LE(0));
}

/** Opens a procfs of the calling process's PID namespace. The caller closes it. */
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
    // The PID namespace belongs to another user namespace, as without root: a copy of the mount protects in the same
    // way. It is recursive, because in a user namespace a mount must keep hiding what it hides.
    return copyOfProcfs();
  }
}

/** Creates a detached copy of `/proc` with the mounts on it. */
export function copyOfProcfs(): number {
  return withFd(openDirectory('/proc'), (fd) => cloneMount(fd, true, '/proc'));
}

/** Writes one value. `path` is relative to procfs, such as `sys/net/ipv4/ip_forward`. */
export function writeProcfs(procFd: number, path: string, value: string): void {
  withFd(openat2(procFd, path, constants.O_WRONLY, withinProcfs), (fd) => writeSync(fd, value));
}

/** Opens a namespace of the calling thread; `name` is its name in `/proc/<pid>/ns`. */
export function openOwnNamespace(procFd: number, name: string): number {
  // The file of a namespace is a magic link, which may be followed because this procfs is trusted.
  return openat2(procFd, `thread-self/ns/${name}`, constants.O_RDONLY, 0);
}

/** Opens a namespace of another process; `name` is its name in `/proc/<pid>/ns`. */
export function openNamespaceOf(procFd: number, pid: number, name: string): number {
  return openat2(procFd, `${pid}/ns/${name}`, constants.O_RDONLY, 0);
}

/** Opens another process's root directory with O_PATH, as that process sees it. */
export function openRootOf(procFd: number, pid: number): number {
  return openat2(procFd, `${pid}/root`, O_PATH, 0);
}

/**
 * Opens a process's directory in procfs with O_PATH. The descriptor keeps meaning that process: after its end, reads
 * below it fail with ESRCH or ENOENT, even if another process has its number. Throws ENOENT when there is no such
 * process.
 */
export function openProcessDirectory(procFd: number, pid: number | 'self'): number {
  const own = pid === 'self' ? process.pid : pid;
  return openat2(procFd, String(own), O_PATH | O_DIRECTORY, withinProcfs);
}

export interface ProcfsText {
  text: string;
  /** False when the text was longer; the last line is then cut. */
  complete: boolean;
}

const chunkBytes = 64 * 1024;
/** Reading is synchronous, so that one buffer is enough. */
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

/** Number of a namespace, unique on this machine; `undefined` when the kernel lacks that kind. */
export function namespaceId(directoryFd: number, name: string): number | undefined {
  try {
    // The text of the link is read, such as `net:[4026531840]`.
    return Number(/\[(\d+)\]$/.exec(readlinkat(directoryFd, `ns/${name}`))?.[1]);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** PID of a process in its own PID namespace (proc_pid_status(5), NSpid). */
export function readPidInside(procFd: number, pid: number): number {
  const { text } = readProcfs(procFd, `${pid}/status`);
  const pids = /^NSpid:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/) ?? [];
  return Number(pids.at(-1) ?? pid);
}
