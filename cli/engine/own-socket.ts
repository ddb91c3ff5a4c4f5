/** Where this computer's own engine serves its API. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The agent's socket, or where a virtual machine runs the engine, the one that the app forwards to it. */
export function ownEngineSocket(runDirectory: string): string {
  const native = join(runDirectory, 'docker.sock');
  const forwarded = join(runDirectory, 'local.sock');
  return !existsSync(native) && existsSync(forwarded) ? forwarded : native;
}
