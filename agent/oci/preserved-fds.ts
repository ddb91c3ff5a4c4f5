/**
 * Descriptors of the caller that a process gets as 3 and on: those that are listened on (sd_listen_fds(3)),
 * and after them as many as `--preserve-fds` says.
 */
import { invalid } from '../errors.ts';
import { type Call, numberOf } from './command-line.ts';

const mostPreserved = 1000;

export interface PreservedFds {
  fds: number[];
  /** What tells the process of those that are listened on. */
  env: string[];
}

interface Caller {
  env: NodeJS.ProcessEnv;
  pid: number;
}

/** Those that are not open are not there in the container either: that is only a warning, as with crun. */
export function readPreservedFds(
  call: Call,
  warn: (text: string) => void,
  { env, pid }: Caller = process,
): PreservedFds {
  const preserved = numberOf(call, 'preserve-fds') ?? 0;
  if (preserved < 0 || preserved > mostPreserved)
    throw invalid(`--preserve-fds takes 0 to ${mostPreserved}, not ${preserved}`);
  const listened = listenedOn(env, pid);
  // Of scripts/oci-runtime: in here the caller's cannot be told from Node's own.
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

/** As sd_listen_fds(3) reads it; without a pid they are for whoever asks. */
function listenedOn({ LISTEN_FDS: count, LISTEN_PID: forPid }: NodeJS.ProcessEnv, pid: number) {
  if (count === undefined || !/^\d{1,4}$/.test(count)) return 0;
  return forPid === undefined || forPid === '' || Number(forPid) === pid ? Number(count) : 0;
}

/** As with runc: in there they are for the first process. */
function listenEnv(count: number, { LISTEN_FDNAMES: names }: NodeJS.ProcessEnv): string[] {
  const pairs = [`LISTEN_FDS=${count}`, 'LISTEN_PID=1'];
  return names === undefined ? pairs : [...pairs, `LISTEN_FDNAMES=${names}`];
}
