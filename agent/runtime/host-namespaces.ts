import {
  NamespaceFlag,
  namespaceFile,
  returnToProcessNamespaces,
  setns,
} from '../kernel/namespaces.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';

/**
 * The launcher's thread could not leave a container's namespaces, so it must not be used any more.
 */
export class ReturnError extends Error {
  constructor(cause: unknown) {
    super(`the launcher thread could not leave a container's namespaces: ${cause}`, { cause });
    this.name = 'ReturnError';
  }
}

const enterable = ['mount', 'uts', 'ipc', 'network'] as const;
let savedNamespaces: ReadonlyMap<(typeof enterable)[number], number> | undefined;

/**
 * Keeps descriptors of the host's namespaces. A process that makes its container on the main thread
 * needs this, because afterwards nothing else of it shows those namespaces.
 */
export function keepHostNamespaces(procFd: number): void {
  savedNamespaces = new Map(
    enterable.map((type) => [type, openOwnNamespace(procFd, namespaceFile[type])]),
  );
}

/** Brings the calling thread back into the host's namespaces. Throws {@link ReturnError}. */
export function returnToHost(flags: number): void {
  try {
    if (savedNamespaces === undefined) returnToProcessNamespaces(flags);
    for (const [type, fd] of savedNamespaces ?? [])
      if ((flags & NamespaceFlag[type]) !== 0) setns(fd, NamespaceFlag[type], type);
  } catch (error) {
    throw new ReturnError(error);
  }
}
