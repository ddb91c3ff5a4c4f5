import { homedir } from 'node:os';
import { defaultDirectories } from '../../../agent/contract/user-directories.ts';

/** The directories of this computer's own engine: system-wide ones for root, else the user's own. */
export function nativeDirectories(): { root: string; run: string } {
  const uid = process.getuid?.() ?? 0;
  return defaultDirectories({ uid, home: homedir(), environment: process.env });
}
