/**
 * The steps that a container's first process and an exec share: limits, identity, capabilities,
 * seccomp, exec. The kernel dictates their order: see credentials(7) and docs/security.md.
 */
import type { OciProcess, OciSeccomp, OciSpec } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { type IdMap, outsideId } from '../kernel/user-namespaces.ts';
import { capabilityNumber } from './capabilities.ts';
import type { Step } from './plan.ts';
import { schedulingSteps } from './scheduling.ts';
import { compileSeccomp, notifies, seccompFlags } from './seccomp.ts';

/** RLIMIT_* of getrlimit(2), in the generic numbers of amd64 and arm64. */
const resources: Record<string, number> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

const unlimited = 0xffff_ffff_ffff_ffffn;
/** (uid_t)-1 tells setresuid(2) to leave an id as it is, so it is no valid id. */
const largestId = 0xffff_fffe;

/** Extras of processes that the OCI command starts. */
export interface BeforeExec extends ProcessExtras {
  /** Steps right before execve. */
  steps: readonly Step[];
  preserved: { first: number; count: number };
  /** The program to execute instead of the first argument. */
  program?: string;
  /** The gate at which the child waits until its seccomp listener was taken. */
  listenerGate?: number;
}

export interface ProcessExtras {
  personality?: OciSpec['linux']['personality'];
  /** Whether the process keeps the caller's session keyring. */
  keepsKeyring?: boolean;
  /** Whether the process keeps the caller's groups. */
  keepsGroups?: boolean;
}

/**
 * Enters the user namespace. Before that come the steps that need the host's root: raising hard
 * limits, and changing the owner of stdio, which has no owner inside.
 */
export function userEntrySteps(
  process: OciProcess,
  ids: IdMap,
  user: { fd: number; cloneFlags: number },
): Step[] {
  return [...rlimitSteps(process, true), ownStdioStep(process, ids), { do: 'user', ...user }];
}

/**
 * Steps inside the container's namespaces up to execve. `ids` is the id map of its user namespace.
 */
export function processSteps(
  process: OciProcess,
  seccomp: OciSeccomp | undefined,
  init: boolean,
  ids: IdMap | undefined,
  before?: BeforeExec,
): Step[] {
  const noNewPrivileges = process.noNewPrivileges === true;
  const filter = seccompSteps(seccomp, before?.listenerGate);
  return [
    ...(before?.keepsKeyring ? [] : [{ do: 'keyring' } as const]),
    { do: 'chdir', path: process.cwd },
    // Limits come before the ids, because a user cannot raise a hard limit.
    ...rlimitSteps(process, false),
    ...schedulingSteps(process),
    ...umaskSteps(process),
    ...personalitySteps(before?.personality),
    ...(ids === undefined ? [ownStdioStep(process, ids)] : []),
    // Without no_new_privs, loading a filter needs CAP_SYS_ADMIN, which a later step drops.
    ...(noNewPrivileges ? [] : filter),
    ...identitySteps(process, ids, before?.keepsGroups === true),
    ...(noNewPrivileges ? [{ do: 'noNewPrivileges' } as const, ...filter] : []),
    ...(before?.steps ?? []),
    {
      do: 'exec',
      init,
      args: checkedArgs(process.args),
      env: process.env,
      ...(before && { preserved: before.preserved }),
      ...(before?.program !== undefined && { program: before.program }),
    },
  ];
}

function ownStdioStep({ user }: OciProcess, ids: IdMap | undefined): Step {
  return {
    do: 'ownStdio',
    uid: outsideId(ids, 'uids', checkedId('user', user.uid)),
    gid: outsideId(ids, 'gids', checkedId('group', user.gid)),
  };
}

function identitySteps(
  { user, capabilities }: OciProcess,
  ids: IdMap | undefined,
  keepsGroups: boolean,
): Step[] {
  const groups = (user.additionalGids ?? []).map((gid) => checkedId('group', gid));
  for (const gid of groups) outsideId(ids, 'gids', gid);
  const set = (names: readonly string[] | undefined) => capabilitySet(names ?? []);
  return [
    // An empty list is set too, so that the agent's groups are not inherited.
    ...(keepsGroups ? [] : [{ do: 'groups', ids: groups } as const]),
    { do: 'bounding', set: set(capabilities?.bounding) },
    { do: 'ids', uid: checkedId('user', user.uid), gid: checkedId('group', user.gid) },
    {
      do: 'capabilities',
      effective: set(capabilities?.effective),
      permitted: set(capabilities?.permitted),
      inheritable: set(capabilities?.inheritable),
    },
    { do: 'ambient', set: set(capabilities?.ambient) },
  ];
}

/** Throws invalid for an unknown name. */
function capabilitySet(names: readonly string[]): bigint {
  return names.reduce((set, name) => set | (1n << BigInt(capabilityNumber(name))), 0n);
}

function rlimitSteps({ rlimits }: OciProcess, raiseOnly: boolean): Step[] {
  return (rlimits ?? []).map(({ type, soft, hard }) => {
    const resource = resources[type];
    if (resource === undefined) throw invalid(`unknown resource limit "${type}"`);
    return {
      do: 'rlimit',
      name: type,
      resource,
      soft: rlimitValue(soft),
      hard: rlimitValue(hard),
      raiseOnly,
    };
  });
}

function rlimitValue(value: number): bigint {
  // -1 and JSON's rounded 2^64-1 both mean unlimited.
  return value < 0 || value >= Number(unlimited) ? unlimited : BigInt(value);
}

function umaskSteps({ user }: OciProcess): Step[] {
  return user.umask === undefined ? [] : [{ do: 'umask', mask: user.umask }];
}

/** PER_* of personality(2). */
const domains = { LINUX: 0, LINUX32: 8 } as const;

function personalitySteps(personality: ProcessExtras['personality']): Step[] {
  return personality === undefined
    ? []
    : [{ do: 'personality', domain: domains[personality.domain] }];
}

function seccompSteps(seccomp: OciSeccomp | undefined, listenerGate: number | undefined): Step[] {
  if (seccomp === undefined) return [];
  const listens = notifies(seccomp);
  if (listens && listenerGate === undefined)
    throw invalid('seccomp profile: nobody could answer for SCMP_ACT_NOTIFY here');
  return [
    {
      do: 'seccomp',
      flags: seccompFlags(seccomp, listens),
      filter: compileSeccomp(seccomp),
      ...(listens && { gate: listenerGate }),
    },
  ];
}

function checkedId(what: string, id: number): number {
  if (!Number.isInteger(id) || id < 0 || id > largestId)
    throw invalid(`${what} id ${id} is out of range; ids are 0 to ${largestId}`);
  return id;
}

function checkedArgs(args: readonly string[]): readonly string[] {
  if (args.length === 0 || args[0] === '') throw invalid('no command specified');
  return args;
}
