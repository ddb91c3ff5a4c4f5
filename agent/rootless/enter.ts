/**
 * Makes the agent of an ordinary user root of a user namespace: starts the process that holds the namespaces, and
 * enters them with the same PID (docs/decisions/0014-without-root.md).
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

/** Environment variable for the agent inside: PID of the process that holds its namespaces. */
const holderVariable = 'CORTEN_NAMESPACE_HOLDER';
/** Environment variable for the agent inside: name of the user, who is root there. */
const userVariable = 'CORTEN_USER';
/** Environment variable with the reason why pasta does not run. */
const disconnectedVariable = 'CORTEN_DISCONNECTED';
/** Environment variable with the reason why there is no delegated cgroup. */
const groupRefusalVariable = 'CORTEN_GROUP_REFUSAL';

const recordsIn = (run: string) => ({
  holder: join(run, 'keeper'),
  pasta: join(run, 'pasta'),
  pastaPid: join(run, 'pasta.pid'),
});

export interface NamespaceOptions {
  run: string;
  shimPath: string;
  /**
   * Moves this process to a cgroup that is delegated to the user, for the groups of containers; resolves with the
   * reason if it cannot.
   */
  joinGroup(): Promise<string | undefined>;
}

/** Executes `program`, a path and its arguments, in the namespaces and does not return. Throws CortenError. */
export async function enterNamespaces(
  { run, shimPath, joinGroup }: NamespaceOptions,
  program: readonly string[],
): Promise<never> {
  mkdirSync(run, { recursive: true, mode: 0o700 });
  // The lock ends with this program, at the latest at its execve(2).
  if (lockFile(join(run, 'entering.lock')) === undefined)
    throw conflict(`Another agent is just starting on ${run}. Wait for it, or use --run.`);
  // The group is joined first, so that the processes started here, which outlive this program, are in it too.
  const refusal = await joinGroup();
  const { username: name, uid, gid } = userInfo();
  const records = recordsIn(run);
  const recordPath = records.holder;
  const holder =
    findRecordedProcess(recordPath) ??
    (await startNamespaceHolder({ shimPath, recordPath, user: { name, uid, gid } }));
  const disconnected = connect(holder, records);
  const { [disconnectedVariable]: _, [groupRefusalVariable]: __, ...environment } = process.env;
  const words = ['corten-enter', `/proc/${holder}/ns/user`, ...program];
  return process.execve?.(shimPath, words, {
    ...environment,
    // nft is in sbin, which the PATH of a user lacks.
    PATH: `${environment.PATH ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`,
    [holderVariable]: String(holder),
    [userVariable]: name,
    ...(disconnected !== undefined && { [disconnectedVariable]: disconnected }),
    ...(refusal !== undefined && { [groupRefusalVariable]: refusal }),
  }) as never;
}

function connect(holder: number, records: ReturnType<typeof recordsIn>): string | undefined {
  // pasta ends with its namespace, so a running one belongs to this holder.
  if (findRecordedProcess(records.pasta) !== undefined) return undefined;
  const failure = startPasta(holder, records.pastaPid);
  if (failure === undefined)
    recordProcess(records.pasta, Number(readFileSync(records.pastaPid, 'utf8')));
  return failure;
}

export interface KeptNamespaces {
  /** Network namespace of the bridges. The descriptor stays open. */
  networkFd: number;
  /** Why containers have no network connection, and what to do; `undefined` when they have one. */
  disconnected: string | undefined;
  /** Why the user's systemd delegated no cgroup; `undefined` when it did, or was not asked. */
  groupRefusal: string | undefined;
  /** Name of the user. */
  userName: string;
  /** Ends the namespaces; nothing may run in them any more. */
  end(): void;
}

/** Describes the namespaces to the agent inside; `undefined` when the agent is root of the machine. */
export function keptNamespaces(run: string): KeptNamespaces | undefined {
  const holder = process.env[holderVariable];
  if (holder === undefined) return undefined;
  const records = recordsIn(run);
  return {
    networkFd: openNamespace(`/proc/${holder}/ns/net`),
    disconnected: process.env[disconnectedVariable],
    groupRefusal: process.env[groupRefusalVariable],
    userName: process.env[userVariable] ?? '',
    end: () => {
      endRecordedProcess(records.holder);
      endRecordedProcess(records.pasta);
      rmSync(records.pastaPid, { force: true });
    },
  };
}
