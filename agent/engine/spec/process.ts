/** The process part of an OCI spec, for a container and for an exec. */
import { readFileSync } from 'node:fs';
import type { ContainerSettings, ContainerView } from '../../contract/container.ts';
import { variableName } from '../../contract/environment.ts';
import type { OciProcess, OciSeccomp } from '../../contract/oci-runtime.ts';
import { invalid } from '../../errors.ts';
import { capabilityNames, resolveCapabilities } from '../../runtime/capabilities.ts';
import { defaultSeccompProfile, parseDockerProfile } from '../../runtime/seccomp-profile.ts';
import type { ResolvedUser } from './user.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ProcessInput {
  settings: ContainerSettings;
  /** The command, with the image's defaults applied. */
  process: ContainerView['process'];
  hostname: string;
  user: ResolvedUser;
}

export function processOfContainer(input: ProcessInput): OciProcess {
  const { settings, process, user } = input;
  const capabilities = capabilitiesOf(settings);
  return {
    terminal: settings.terminal,
    user: userOf(user),
    args: [process.path, ...process.args],
    env: environmentOf(process.env, { ...input, terminal: settings.terminal }),
    cwd: process.workingDirectory || '/',
    capabilities: capabilitySets(capabilities, user.uid),
    rlimits: rlimitsOf(settings),
    noNewPrivileges: settings.security.noNewPrivileges,
    ...oomScoreOf(settings),
  };
}

export interface ExecInput extends ProcessInput {
  exec: {
    args: string[];
    /** Added to the container's environment. */
    env: string[];
    terminal: boolean;
    workingDirectory?: string;
    privileged: boolean;
  };
}

/**
 * An exec takes what it does not set from the container: environment, working directory, limits and
 * seccomp filter.
 */
export function processOfExec(input: ExecInput): OciProcess {
  const { settings, process, user, exec } = input;
  const capabilities = exec.privileged ? capabilityNames : capabilitiesOf(settings);
  return {
    terminal: exec.terminal,
    user: userOf(user),
    args: exec.args,
    env: environmentOf(merged(process.env, exec.env), { ...input, terminal: exec.terminal }),
    cwd: exec.workingDirectory || process.workingDirectory || '/',
    capabilities: capabilitySets(capabilities, user.uid),
    rlimits: rlimitsOf(settings),
    noNewPrivileges: settings.security.noNewPrivileges,
    ...oomScoreOf(settings),
  };
}

/**
 * The engine may have a negative OOM score, as its systemd unit on a remote host sets it.
 * Containers do not inherit that unless they ask for it. Only root may lower a score, so without
 * root the engine's own stays.
 */
export function oomScoreOf(
  { oomScoreAdj }: Pick<ContainerSettings, 'oomScoreAdj'>,
  own = ownOomScore(),
): Pick<OciProcess, 'oomScoreAdj'> {
  if (oomScoreAdj !== undefined) return { oomScoreAdj };
  return own < 0 ? { oomScoreAdj: 0 } : {};
}

let ownScore: number | undefined;

/** The engine's own score, read once because every start and exec needs it. */
function ownOomScore(): number {
  ownScore ??= Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  return ownScore;
}

export function capabilitiesOf({ security }: ContainerSettings): readonly string[] {
  const { addCapabilities, dropCapabilities, privileged } = security;
  return resolveCapabilities(addCapabilities, dropCapabilities, privileged);
}

/**
 * The capability sets that execve(2) would leave: root keeps all, other users none, though they may
 * gain them from a file. The inheritable and ambient sets stay empty (CVE-2022-24769).
 */
function capabilitySets(
  names: readonly string[],
  uid: number,
): NonNullable<OciProcess['capabilities']> {
  const held = uid === 0 ? [...names] : [];
  return { bounding: [...names], effective: held, permitted: held, inheritable: [], ambient: [] };
}

function userOf({ uid, gid, additionalGids }: ResolvedUser): OciProcess['user'] {
  return { uid, gid, additionalGids };
}

/** dockerd's variables with the container's on top. HOME is filled in as runc does. */
function environmentOf(
  env: readonly string[],
  { hostname, user, terminal }: { hostname: string; user: ResolvedUser; terminal: boolean },
): string[] {
  const own = [
    `PATH=${defaultPath}`,
    `HOSTNAME=${hostname}`,
    ...(terminal ? ['TERM=xterm'] : []),
    `HOME=${user.home}`,
  ];
  for (const entry of env)
    if (entry.includes('\0') || entry.startsWith('='))
      throw invalid(`invalid environment variable: ${entry.replaceAll('\0', '\\0')}`);
  return merged(own, env);
}

/** Later values replace earlier ones in place, and a name without a value removes the variable. */
function merged(base: readonly string[], over: readonly string[]): string[] {
  const values = new Map(base.map((entry) => [variableName(entry), entry]));
  for (const entry of over) {
    if (entry.includes('=')) values.set(variableName(entry), entry);
    else values.delete(entry);
  }
  return [...values.values()];
}

/** Resource limits (getrlimit(2)) under docker's `--ulimit` names. */
const limitNames = new Set(
  `as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`.split(
    ' ',
  ),
);

/** A limit of open files set later overrides the ulimit of the creation. */
function rlimitsOf({ ulimits, limits: { openFiles } }: ContainerSettings) {
  if (typeof openFiles !== 'number') return ulimits.map(rlimitOf);
  return [
    ...ulimits.filter(({ name }) => name.toLowerCase() !== 'nofile'),
    { name: 'nofile', soft: openFiles, hard: openFiles },
  ].map(rlimitOf);
}

function rlimitOf({ name, soft, hard }: ContainerSettings['ulimits'][number]) {
  const type = name.toLowerCase();
  if (!limitNames.has(type)) throw invalid(`invalid ulimit type: ${name}`);
  const unlimited = -1;
  if (hard !== unlimited && (soft > hard || soft === unlimited))
    throw invalid(
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard} (${name})`,
    );
  return { type: `RLIMIT_${type.toUpperCase()}`, soft, hard };
}

/** The container's seccomp filter. Undefined means none. */
export function seccompOf(settings: ContainerSettings): OciSeccomp | undefined {
  const { seccomp } = settings.security;
  if (seccomp === 'unconfined') return undefined;
  const capabilities = capabilitiesOf(settings);
  return seccomp === 'default'
    ? defaultSeccompProfile(capabilities)
    : parseDockerProfile(seccomp.profile, capabilities);
}
