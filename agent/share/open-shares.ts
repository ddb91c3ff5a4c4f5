/** Shared folders from the first one on: an agent on a computer of its own never has any. */
import { mkdirSync } from 'node:fs';
import { type Shares, type SharesOptions, startShares } from './shares.ts';

export interface OpenShares {
  /** The socket for a host's folders. */
  socket(): Promise<string>;
  /** The mounted folder that a path lies in. */
  mountOf(path: string): string | undefined;
  close(): Promise<void>;
}

export interface OpenSharesOptions extends SharesOptions {
  /** Of folders of other computers (computersDirectory); made 0700. */
  computersDirectory: string;
}

export function openShares(options: OpenSharesOptions): OpenShares {
  let starting: Promise<Shares> | undefined;
  let shares: Shares | undefined;
  return {
    async socket() {
      mkdirSync(options.computersDirectory, { recursive: true, mode: 0o700 });
      starting ??= startShares(options).then((started) => {
        shares = started;
        return started;
      });
      await starting;
      return options.socketPath;
    },
    mountOf: (path) => shares?.mountOf(path),
    async close() {
      await (await starting)?.close();
    },
  };
}
