/** Where an agent keeps its things when nobody says; for a user by the XDG Base Directory Specification. */
import { statSync } from 'node:fs';
import { join } from 'node:path';

export interface UserPlace {
  uid: number;
  home: string;
  environment: NodeJS.ProcessEnv;
}

/** State is data that cannot be fetched anew: containers, volumes. */
export function userRoot({ home, environment }: UserPlace): string {
  return join(absolute(environment.XDG_DATA_HOME) ?? join(home, '.local/share'), 'corten');
}

/**
 * Without a session there is no `$XDG_RUNTIME_DIR`, but perhaps the directory that it would name. The last
 * resort outlives a restart of the machine, which nothing in it minds.
 */
export function userRun(place: UserPlace): string {
  const { uid, environment } = place;
  const runtime = absolute(environment.XDG_RUNTIME_DIR) ?? `/run/user/${uid}`;
  return belongsTo(runtime, uid) ? join(runtime, 'corten') : join(userRoot(place), 'run');
}

/** A relative path is to be ignored, says the specification. */
const absolute = (path: string | undefined) => (path?.startsWith('/') ? path : undefined);

function belongsTo(path: string, uid: number): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === uid;
}

/** Root's are the machine's own. */
export function defaultDirectories(place: UserPlace): { root: string; run: string } {
  return place.uid === 0
    ? { root: '/var/lib/corten', run: '/run/corten' }
    : { root: userRoot(place), run: userRun(place) };
}
