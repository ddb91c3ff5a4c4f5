/**
 * How the agent of an ordinary user becomes root of a user namespace: it sees that somebody keeps one for
 * it, and puts itself, under the same pid, into it (docs/decisions/0014-without-root.md).
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { conflict } from '../errors.ts';
import { lockFile } from '../kernel/file-lock.ts';
import { openNamespace } from '../kernel/namespaces.ts';
import {
  endRecordedProcess,
  findRecordedProcess,
  recordProcess,
} from '../kernel/recorded-process.ts';
import { startNamespaceHolder } from './namespace-holder.ts';
import { startPasta } from './pasta.ts';

/** Set for the agent inside: the pid of the process that keeps its namespaces. */
const keeperVariable = 'CORTEN_KEEPER';
/** Set for the agent inside, who is called root there. */
const userVariable = 'CORTEN_USER';
/** Set when pasta does not run: why. */
const disconnectedVariable = 'CORTEN_DISCONNECTED';
/** Set when there is no control group of its own: why. */
const groupRefusalVariable = 'CORTEN_GROUP_REFUSAL';

const recordsIn = (run: string) => ({
  keeper: join(run, 'keeper'),
  pasta: join(run, 'pasta'),
  pastaPid: join(run, 'pasta.pid'),
});

export interface Way {
  run: string;
  shimPath: string;
  /** Takes this process to where its containers may have groups; or tells why it cannot. */
  joinGroup(): Promise<string | undefined>;
}

/** Does not return: the process goes on as `program`, a path and its arguments, in the namespaces. */
export async function enterNamespaces(
  { run, shimPath, joinGroup }: Way,
  program: readonly string[],
): Promise<never> {
  mkdirSync(run, { recursive: true, mode: 0o700 });
  // Ends with this program, at the latest when it becomes the other.
  if (lockFile(join(run, 'entering.lock')) === undefined)
    throw conflict(`Another agent is just starting on ${run}. Wait for it, or use --run.`);
  // First: what is started here is in that group too, and outlives this program.
  const refusal = await joinGroup();
  const { username: name, uid, gid } = userInfo();
  const records = recordsIn(run);
  const recordPath = records.keeper;
  const keeper =
    findRecordedProcess(recordPath) ??
    (await startNamespaceHolder({ shimPath, recordPath, user: { name, uid, gid } }));
  const disconnected = connect(keeper, records);
  const { [disconnectedVariable]: _, [groupRefusalVariable]: __, ...environment } = process.env;
  const words = ['corten-enter', `/proc/${keeper}/ns/user`, ...program];
  return process.execve?.(shimPath, words, {
    ...environment,
    // Where nft is; a user's path does not lead there.
    PATH: `${environment.PATH ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`,
    [keeperVariable]: String(keeper),
    [userVariable]: name,
    ...(disconnected !== undefined && { [disconnectedVariable]: disconnected }),
    ...(refusal !== undefined && { [groupRefusalVariable]: refusal }),
  }) as never;
}

function connect(keeper: number, records: ReturnType<typeof recordsIn>): string | undefined {
  // It ends with its namespace, so one that runs is this keeper's.
  if (findRecordedProcess(records.pasta) !== undefined) return undefined;
  const failure = startPasta(keeper, records.pastaPid);
  if (failure === undefined)
    recordProcess(records.pasta, Number(readFileSync(records.pastaPid, 'utf8')));
  return failure;
}

export interface KeptNamespaces {
  /** Where the bridges are. Stays open. */
  networkFd: number;
  /** Why the bridges lead nowhere, and what to do; undefined when they do. */
  disconnected: string | undefined;
  /** Why the user's systemd gave no control group; undefined when it did, or was not asked. */
  groupRefusal: string | undefined;
  /** Whose they are. */
  userName: string;
  /** Once nothing runs in them. */
  end(): void;
}

/** For the agent inside; undefined for one that is the machine's root. */
export function keptNamespaces(run: string): KeptNamespaces | undefined {
  const keeper = process.env[keeperVariable];
  if (keeper === undefined) return undefined;
  const records = recordsIn(run);
  return {
    networkFd: openNamespace(`/proc/${keeper}/ns/net`),
    disconnected: process.env[disconnectedVariable],
    groupRefusal: process.env[groupRefusalVariable],
    userName: process.env[userVariable] ?? '',
    end: () => {
      endRecordedProcess(records.keeper);
      endRecordedProcess(records.pasta);
      rmSync(records.pastaPid, { force: true });
    },
  };
}
