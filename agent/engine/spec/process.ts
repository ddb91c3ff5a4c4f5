/** The process part of a specification: the container's own, and that of an exec. */
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
  /** The command after the image's defaults were applied. */
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
    /** On top of the container's own. */
    env: string[];
    terminal: boolean;
    workingDirectory?: string;
    privileged: boolean;
  };
}

/** What an exec leaves open is the container's: environment, directory, limits, filter. */
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
 * The engine may be protected from the kernel's OOM killer, as its unit on a remote host has it; what runs in
 * containers is not, unless it is asked for. Only root may lower a score, so others leave it.
 */
export function oomScoreOf(
  { oomScoreAdj }: Pick<ContainerSettings, 'oomScoreAdj'>,
  own = ownOomScore(),
): Pick<OciProcess, 'oomScoreAdj'> {
  if (oomScoreAdj !== undefined) return { oomScoreAdj };
  return own < 0 ? { oomScoreAdj: 0 } : {};
}

let ownScore: number | undefined;

/** Read once: every start and every exec asks, and who started the engine has set it. */
function ownOomScore(): number {
  ownScore ??= Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  return ownScore;
}

export function capabilitiesOf({ security }: ContainerSettings): readonly string[] {
  const { addCapabilities, dropCapabilities, privileged } = security;
  return resolveCapabilities(addCapabilities, dropCapabilities, privileged);
}

/**
 * What execve(2) would leave: root keeps all, another user none but may gain them by a file. The
 * inheritable set stays empty (CVE-2022-24769), and so does the ambient one.
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

/** dockerd's own variables first, the container's on top; HOME as runc fills it in. */
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

/** Later values replace earlier ones in place; a name without a value takes it away. */
function merged(base: readonly string[], over: readonly string[]): string[] {
  const values = new Map(base.map((entry) => [variableName(entry), entry]));
  for (const entry of over) {
    if (entry.includes('=')) values.set(variableName(entry), entry);
    else values.delete(entry);
  }
  return [...values.values()];
}

/** getrlimit(2), as docker's `--ulimit` names them. */
const limitNames = new Set(
  `as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`.split(
    ' ',
  ),
);

/** A limit of open files that was set since stands above the ulimit that the container was made with. */
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

/** The filter of a container; undefined for none. */
export function seccompOf(settings: ContainerSettings): OciSeccomp | undefined {
  const { seccomp } = settings.security;
  if (seccomp === 'unconfined') return undefined;
  const capabilities = capabilitiesOf(settings);
  return seccomp === 'default'
    ? defaultSeccompProfile(capabilities)
    : parseDockerProfile(seccomp.profile, capabilities);
}
