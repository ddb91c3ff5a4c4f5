import {
  NamespaceFlag,
  namespaceFile,
  returnToProcessNamespaces,
  setns,
} from '../kernel/namespaces.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';

/** The launcher's thread is stuck in a container's namespaces. It must not be used any more. */
export class ReturnError extends Error {
  constructor(cause: unknown) {
    super(`the launcher thread could not leave a container's namespaces: ${cause}`, { cause });
    this.name = 'ReturnError';
  }
}

const enterable = ['mount', 'uts', 'ipc', 'network'] as const;
let savedNamespaces: ReadonlyMap<(typeof enterable)[number], number> | undefined;

/**
 * For a process that makes its container on its main thread, as a command does that makes one and
 * ends: once that thread has left, nothing else of the process shows where home was.
 */
export function keepHostNamespaces(procFd: number): void {
  savedNamespaces = new Map(
    enterable.map((type) => [type, openOwnNamespace(procFd, namespaceFile[type])]),
  );
}

/** Brings the launcher's thread back into the host's namespaces. */
export function returnToHost(flags: number): void {
  try {
    if (savedNamespaces === undefined) returnToProcessNamespaces(flags);
    for (const [type, fd] of savedNamespaces ?? [])
      if ((flags & NamespaceFlag[type]) !== 0) setns(fd, NamespaceFlag[type], type);
  } catch (error) {
    throw new ReturnError(error);
  }
}
