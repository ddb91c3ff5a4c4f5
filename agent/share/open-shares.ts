/** Starts serving shared folders at the first one; an agent on the user's own computer never has any. */
import { mkdirSync, readdirSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import type { ShareOrder } from './share-thread.ts';
import { type Shares, type SharesOptions, startShares } from './shares.ts';

export interface OpenShares {
  /** Path of the socket for a host's folders. */
  socket(): Promise<string>;
  /** Mounted folder that contains a path. */
  mountOf(path: string): string | undefined;
  /** Takes over the mounts of an earlier agent. */
  resume(): Promise<void>;
  close(order: ShareOrder): Promise<void>;
}

export interface OpenSharesOptions extends SharesOptions {
  /** Directory for folders of other computers (computersDirectory), created with mode 0700. */
  computersDirectory: string;
}

export function openShares(options: OpenSharesOptions): OpenShares {
  let starting: Promise<Shares> | undefined;
  let shares: Shares | undefined;
  async function start(): Promise<void> {
    starting ??= startShares(options).then((started) => {
      shares = started;
      return started;
    });
    await starting;
  }
  return {
    async socket() {
      mkdirSync(options.computersDirectory, { recursive: true, mode: 0o700 });
      await start();
      return options.socketPath;
    },
    async resume() {
      if (hasAny(options.keptDirectory)) await start();
    },
    mountOf: (path) => shares?.mountOf(path),
    async close(order) {
      await (await starting)?.close(order);
    },
  };
}

function hasAny(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
