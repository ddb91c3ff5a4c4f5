/**
 * Passes descriptors of the caller to the process as 3 and following: those of socket activation (sd_listen_fds(3)),
 * then as many as `--preserve-fds` says.
 */
import { invalid } from '../errors.ts';
import { type Call, numberOf } from './command-line.ts';

const mostPreserved = 1000;

export interface PreservedFds {
  fds: number[];
  /** Environment variables of socket activation. */
  env: string[];
}

interface Caller {
  env: NodeJS.ProcessEnv;
  pid: number;
}

/** Reads the caller's descriptors. A closed one only causes a warning, as in crun. */
export function readPreservedFds(
  call: Call,
  warn: (text: string) => void,
  { env, pid }: Caller = process,
): PreservedFds {
  const preserved = numberOf(call, 'preserve-fds') ?? 0;
  if (preserved < 0 || preserved > mostPreserved)
    throw invalid(`--preserve-fds takes 0 to ${mostPreserved}, not ${preserved}`);
  const listened = listenedOn(env, pid);
  // Set by scripts/oci-runtime, because in this process the caller's descriptors cannot be told from Node's.
  const open = Number(env.CORTEN_CALLERS_FDS ?? 0);
  const asked = listened + preserved;
  const count = Math.min(asked, open);
  if (count < asked)
    warn(`${asked} descriptors are to be handed on, but descriptor ${3 + count} is not open`);
  return {
    fds: Array.from({ length: count }, (_, index) => 3 + index),
    env: listened === 0 ? [] : listenEnv(Math.min(listened, count), env),
  };
}

/** Number of listening descriptors, by the rules of sd_listen_fds(3); without a PID they are for any process. */
function listenedOn({ LISTEN_FDS: count, LISTEN_PID: forPid }: NodeJS.ProcessEnv, pid: number) {
  if (count === undefined || !/^\d{1,4}$/.test(count)) return 0;
  return forPid === undefined || forPid === '' || Number(forPid) === pid ? Number(count) : 0;
}

/** As in runc, LISTEN_PID names the container's first process. */
function listenEnv(count: number, { LISTEN_FDNAMES: names }: NodeJS.ProcessEnv): string[] {
  const pairs = [`LISTEN_FDS=${count}`, 'LISTEN_PID=1'];
  return names === undefined ? pairs : [...pairs, `LISTEN_FDNAMES=${names}`];
}
