/**
 * The process that holds an ordinary user's namespaces: a user namespace in which the user is root, and the network
 * namespace of its bridges. Containers and their networks outlive the agent, and so does this process.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { CortenError } from '../errors.ts';
import { hasErrno, KernelError } from '../kernel/libc.ts';
import { NamespaceFlag } from '../kernel/namespaces.ts';
import { recordProcess } from '../kernel/recorded-process.ts';
import { refusalAdvice } from './namespace-refusal.ts';
import {
  mapArguments,
  neededIds,
  type SubordinateRange,
  subordinateIds,
  totalIds,
} from './subordinate-ids.ts';

export interface NamespaceHolderPlan {
  shimPath: string;
  /** File that records the process. */
  recordPath: string;
  user: { name: string; uid: number; gid: number };
}

interface IdRanges {
  uids: SubordinateRange[];
  gids: SubordinateRange[];
}

/**
 * Starts the process and returns its PID. Throws CortenError with advice when the machine does not let a user do
 * this.
 */
export async function startNamespaceHolder({
  shimPath,
  recordPath,
  user,
}: NamespaceHolderPlan): Promise<number> {
  const ranges = rangesOf(user);
  const holder = spawn(shimPath, [String(NamespaceFlag.network), '-1'], {
    argv0: 'corten-keeper',
    stdio: ['pipe', 'pipe', 'inherit'],
    // It gets a session of its own, so that the end of a terminal does not end it.
    detached: true,
    cwd: '/',
  });
  try {
    const step = stepsOf(holder, shimPath);
    await step('a user namespace');
    writeMaps(holder.pid ?? 0, user, ranges);
    holder.stdin?.write('.');
    await step('its network namespace');
    recordProcess(recordPath, holder.pid ?? 0);
    holder.stdin?.write('.');
    return holder.pid ?? 0;
  } catch (error) {
    holder.kill('SIGKILL');
    throw error;
  } finally {
    holder.unref();
    holder.stdin?.end();
    holder.stdout?.destroy();
  }
}

function rangesOf(user: NamespaceHolderPlan['user']): IdRanges {
  const ranges = {
    uids: subordinateIds('/etc/subuid', user),
    gids: subordinateIds('/etc/subgid', user),
  };
  for (const [kind, file] of [
    ['uids', '/etc/subuid'],
    ['gids', '/etc/subgid'],
  ] as const)
    if (totalIds(ranges[kind]) < neededIds)
      throw new CortenError(
        'unavailable',
        `${file} gives ${user.name} ${totalIds(ranges[kind])} ids, and images need ${neededIds}; as root, run: ` +
          `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user.name} (with numbers that no other line of that file has)`,
      );
  return ranges;
}

function writeMaps(pid: number, user: NamespaceHolderPlan['user'], { uids, gids }: IdRanges): void {
  runMapper('newuidmap', [String(pid), ...mapArguments(user.uid, uids)]);
  runMapper('newgidmap', [String(pid), ...mapArguments(user.gid, gids)]);
}

function runMapper(program: string, words: string[]): void {
  try {
    execFileSync(program, words, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new CortenError(
        'unavailable',
        `${program} is missing, which gives a user its ids; install the package "uidmap"`,
        { cause: error },
      );
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new CortenError(
      'unavailable',
      `${program} refused: ${said || error}; it must be set-user-id root, on a file system without nosuid, and this process must not be held to no_new_privs`,
      { cause: error },
    );
  }
}

/** Each step reports its result as an errno of four bytes. */
function stepsOf(holder: ChildProcess, programPath: string): (what: string) => Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  let ended: Error | undefined;
  let wake: (() => void) | undefined;
  const finish = (error: Error) => {
    ended ??= error;
    wake?.();
  };
  holder.on('error', finish);
  holder.on('exit', () => finish(new Error('the process that holds the namespaces ended early')));
  holder.stdin?.on('error', finish);
  holder.stdout?.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake?.();
  });
  return async (what) => {
    while (received.length < 4) {
      if (ended !== undefined) throw ended;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const errno = received.readInt32LE(0);
    received = received.subarray(4);
    if (errno !== 0) throw refusal(what, errno, programPath);
  };
}

function refusal(what: string, errno: number, programPath: string): CortenError {
  const cause = new KernelError('unshare', errno, what);
  const advice = refusalAdvice({ errno, programPath });
  return new CortenError('unavailable', `the kernel refused ${what} (${cause.code}): ${advice}`, {
    cause,
  });
}
