/**
 * Namespaces of the calling thread: unshare(2), setns(2) and settings inside them. These change the thread and not
 * the process, so only the launcher's thread may call them.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { libcCall } from './libc.ts';
import { openProcess } from './process.ts';

/** CLONE_NEW* of clone(2) by the names of the OCI specification. */
export const NamespaceFlag = {
  time: 0x00000080,
  mount: 0x00020000,
  cgroup: 0x02000000,
  uts: 0x04000000,
  ipc: 0x08000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
} as const;

/** Names of namespaces below `/proc/<pid>/ns/`. */
export const namespaceFile = {
  mount: 'mnt',
  cgroup: 'cgroup',
  uts: 'uts',
  ipc: 'ipc',
  user: 'user',
  pid: 'pid',
  network: 'net',
  time: 'time',
} as const;

const CLONE_FS = 0x00000200;

const unshareCall = libcCall('unshare', ['int']);
const setnsCall = libcCall('setns', ['int', 'int']);
const sethostnameCall = libcCall('sethostname', ['str', 'size_t']);
const setdomainnameCall = libcCall('setdomainname', ['str', 'size_t']);
const umaskCall = libcCall('umask', ['uint'], 'uint');

export function unshare(flags: number): void {
  unshareCall(undefined, flags);
}

export function setns(fd: number, flags: number, subject?: string): void {
  setnsCall(subject, fd, flags);
}

/** Gives the calling thread its own root, working directory and umask (0). */
export function ownFilesystemState(): void {
  unshareCall('filesystem state', CLONE_FS);
  umaskCall(undefined, 0);
}

/** Returns the calling thread to the namespaces of the process's main thread. */
export function returnToProcessNamespaces(flags: number): void {
  // A pidfd means the main thread, which never leaves the host's namespaces.
  const self = openProcess(process.pid);
  try {
    setnsCall('own process', self, flags);
  } finally {
    closeSync(self);
  }
}

/** Opens a namespace by a path such as `/proc/<pid>/ns/net`. */
export function openNamespace(path: string): number {
  return openSync(path, constants.O_RDONLY);
}

export function setHostname(name: string): void {
  sethostnameCall(name, name, Buffer.byteLength(name));
}

export function setDomainname(name: string): void {
  setdomainnameCall(name, name, Buffer.byteLength(name));
}
