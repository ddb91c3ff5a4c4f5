import { returnToProcessNamespaces } from '../kernel/namespaces.ts';

/** The launcher's thread is stuck in a container's namespaces. It must not be used any more. */
export class StrandedError extends Error {
  constructor(cause: unknown) {
    super(`the launcher thread could not leave a container's namespaces: ${cause}`, { cause });
    this.name = 'StrandedError';
  }
}

/** Brings the launcher's thread back into the host's namespaces. */
export function comeHome(flags: number): void {
  try {
    returnToProcessNamespaces(flags);
  } catch (error) {
    throw new StrandedError(error);
  }
}
