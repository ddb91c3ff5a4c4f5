/**
 * procfs through a mount that is attached nowhere: nobody can mount anything over what lies in it,
 * so what is written really goes to the kernel (CVE-2025-52881).
 */
import { closeSync, constants, writeSync } from 'node:fs';
import { O_PATH, openat2, Resolve, withFd } from './files.ts';
import { libcCall } from './libc.ts';
import { MountAttribute, newFilesystem } from './mount.ts';

const PROC_SUPER_MAGIC = 0x9fa0;

const fstatfsCall = libcCall('fstatfs', ['int', 'void *']);

/** `f_type` of the file system that `fd` lies on. */
export function filesystemMagic(fd: number): number {
  const buffer = Buffer.alloc(128);
  fstatfsCall(undefined, fd, buffer);
  return Number(buffer.readBigInt64LE(0));
}

/** A procfs of the calling process's pid namespace, to be kept and closed by the caller. */
export function openProcfs(): number {
  const { noSuid, noDev, noExec } = MountAttribute;
  const fd = newFilesystem('proc', [], noSuid | noDev | noExec);
  if (filesystemMagic(fd) === PROC_SUPER_MAGIC) return fd;
  closeSync(fd);
  throw new Error('the kernel mounted something else than procfs');
}

/** Writes one value. `path` is relative to procfs, such as `sys/net/ipv4/ip_forward`. */
export function writeProcfs(procFd: number, path: string, value: string): void {
  const resolve = Resolve.beneath | Resolve.noXdev | Resolve.noMagicLinks;
  withFd(openat2(procFd, path, constants.O_WRONLY, resolve), (fd) => writeSync(fd, value));
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

/** When a process began, in clock ticks since boot; undefined when there is none of this pid. */
export function parseStartTime(stat: string): bigint | undefined {
  // proc_pid_stat(5): field 2, the name, may hold anything but ends at the last parenthesis.
  const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return field === undefined ? undefined : BigInt(field);
}
