import {
  NamespaceFlag,
  namespaceFile,
  returnToProcessNamespaces,
  setns,
} from '../kernel/namespaces.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';

/** The launcher's thread is stuck in a container's namespaces. It must not be used any more. */
export class StrandedError extends Error {
  constructor(cause: unknown) {
    super(`the launcher thread could not leave a container's namespaces: ${cause}`, { cause });
    this.name = 'StrandedError';
  }
}

const enterable = ['mount', 'uts', 'ipc', 'network'] as const;
let wayHome: ReadonlyMap<(typeof enterable)[number], number> | undefined;

/**
 * For a process that makes its container on its main thread, as a command does that makes one and
 * ends: once that thread has left, nothing else of the process shows where home was.
 */
export function keepWayHome(procFd: number): void {
  wayHome = new Map(enterable.map((type) => [type, openOwnNamespace(procFd, namespaceFile[type])]));
}

/** Brings the launcher's thread back into the host's namespaces. */
export function comeHome(flags: number): void {
  try {
    if (wayHome === undefined) returnToProcessNamespaces(flags);
    for (const [type, fd] of wayHome ?? [])
      if ((flags & NamespaceFlag[type]) !== 0) setns(fd, NamespaceFlag[type], type);
  } catch (error) {
    throw new StrandedError(error);
  }
}
