/**
 * Translates Docker's ContainerCreateRequest for the engine. What can be refused without the machine is refused here
 * with dockerd's messages, on which tools match; nothing is created before the whole request was read.
 */
import { constants } from 'node:os';
import type { ContainerSettings, HealthCheck, RestartPolicy } from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import type { Fields } from '../fields.ts';
import type { CreateRequest } from './backend.ts';
import { readLimits } from './create-limits.ts';
import { readLog } from './create-log.ts';
import { type ContainerLookup, readMounts } from './create-mounts.ts';
import { readNetwork } from './create-network.ts';
import { readNamespaces, readSecurity } from './create-security.ts';

export interface CreateQuery {
  name?: string;
  platform?: string;
}

export function readCreateRequest(
  body: Fields,
  { name, platform }: CreateQuery,
  containers: ContainerLookup,
): CreateRequest & { warnings: string[] } {
  if (body.keys().length === 0)
    throw invalid('config cannot be empty in order to create a container');
  const host = body.objectOrEmpty('HostConfig');
  const networking = body.objectOrEmpty('NetworkingConfig');
  const limits = readLimits(host);
  const log = readLog(host);
  const restart = readRestartPolicy(host);
  const autoRemove = host.flag('AutoRemove') ?? false;
  if (autoRemove && restart.name !== 'no')
    throw invalid("can't create 'AutoRemove' container with restart policy");
  return {
    name: name === undefined ? undefined : readName(name),
    settings: {
      ...readCommand(body),
      platform,
      autoRemove,
      restart,
      limits: { ...limits.limits, ...(log.limits && { log: log.limits }) },
      network: readNetwork(body, host, networking),
      mounts: readMounts(body, host, containers),
      security: readSecurity(host),
      namespaces: readNamespaces(body, host),
      readOnlyRootfs: host.flag('ReadonlyRootfs') ?? false,
      sysctls: host.textMap('Sysctls'),
      ulimits: readUlimits(host),
      oomScoreAdj: readOomScoreAdj(host),
      shmBytes: readShmBytes(host),
      extraGroups: host.texts('GroupAdd') ?? [],
      init: host.flag('Init') ?? false,
      log: log.log,
    },
    origin: originOf(body, host, networking),
    warnings: [...limits.warnings, ...unservedOptions(host)],
  };
}

/** Reads a name, which may begin with a slash as inspect shows it. */
export function readName(name: string): string {
  const bare = name.startsWith('/') ? name.slice(1) : name;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare))
    throw invalid(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return bare;
}

/** Reads a signal's name with or without SIG, or its number. */
export function readSignal(signal: string): string {
  const name = signal.toUpperCase().replace(/^SIG/, '');
  const known =
    `SIG${name}` in constants.signals ||
    /^RTM(IN(\+\d{1,2})?|AX(-\d{1,2})?)$/.test(name) ||
    (/^\d{1,2}$/.test(name) && Number(name) >= 1 && Number(name) <= 64);
  if (!known) throw invalid(`invalid signal: ${signal}`);
  return signal;
}

export function readRestartPolicy(host: Fields): RestartPolicy {
  const policy = host.objectOrEmpty('RestartPolicy');
  const name = policy.filled('Name') ?? 'no';
  const maximumRetryCount = policy.integer('MaximumRetryCount') ?? 0;
  if (!isRestartName(name))
    throw invalid(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (name !== 'on-failure' && maximumRetryCount !== 0)
    throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  if (maximumRetryCount < 0)
    throw invalid('invalid restart policy: maximum retry count cannot be negative');
  return { name, maximumRetryCount };
}

function isRestartName(name: string): name is RestartPolicy['name'] {
  return ['no', 'always', 'unless-stopped', 'on-failure'].includes(name);
}

type CommandSettings = Pick<
  ContainerSettings,
  | 'image'
  | 'hostname'
  | 'domainname'
  | 'user'
  | 'workingDirectory'
  | 'entrypoint'
  | 'args'
  | 'env'
  | 'labels'
  | 'terminal'
  | 'openStdin'
  | 'stdinOnce'
  | 'stopSignal'
  | 'stopTimeoutSeconds'
  | 'health'
>;

function readCommand(body: Fields): CommandSettings {
  const image = body.filled('Image');
  if (image === undefined) throw invalid('no image specified: give the container an Image');
  const workingDirectory = body.filled('WorkingDir');
  if (workingDirectory !== undefined && !workingDirectory.startsWith('/'))
    throw invalid(
      `the working directory '${workingDirectory}' is invalid, it needs to be an absolute path`,
    );
  const stopSignal = body.filled('StopSignal');
  return {
    image,
    hostname: body.filled('Hostname'),
    domainname: body.filled('Domainname'),
    user: body.filled('User'),
    workingDirectory,
    ...readEntrypointAndArgs(body),
    env: readEnv(body),
    labels: body.textMap('Labels'),
    terminal: body.flag('Tty') ?? false,
    openStdin: body.flag('OpenStdin') ?? false,
    stdinOnce: body.flag('StdinOnce') ?? false,
    stopSignal: stopSignal === undefined ? undefined : readSignal(stopSignal),
    stopTimeoutSeconds: body.integer('StopTimeout'),
    health: readHealth(body),
  };
}

/**
 * `--entrypoint ""` arrives as `[""]` and clears the image's entrypoint and command; an empty list clears only the
 * entrypoint; an absent one keeps both (moby daemon/commit.go, merge).
 */
function readEntrypointAndArgs(body: Fields): { entrypoint?: string[]; args?: string[] } {
  const entrypoint = body.words('Entrypoint');
  const words = body.words('Cmd');
  const args = words?.length === 0 ? undefined : words;
  if (entrypoint?.length === 1 && entrypoint[0] === '') {
    if (args === undefined) throw invalid('no command specified');
    return { entrypoint: [], args };
  }
  return { entrypoint, args };
}

function readEnv(body: Fields): string[] {
  const env = body.texts('Env') ?? [];
  for (const entry of env) {
    if (entry === '' || entry.startsWith('='))
      throw invalid(`invalid environment variable: ${entry}`);
  }
  return env;
}

const nanosPerMs = 1_000_000;

/** Zero means the default, as in moby's types.HealthConfig; defaults are dockerd's. */
function readHealth(body: Fields): HealthCheck | undefined {
  const health = body.object('Healthcheck');
  if (health === undefined) return undefined;
  const duration = (name: string, whenZeroMs: number) => {
    const nanos = health.integer(name) ?? 0;
    if (nanos !== 0 && nanos < nanosPerMs)
      throw invalid(`${name} in Healthcheck cannot be less than 1ms`);
    return nanos === 0 ? whenZeroMs : nanos / nanosPerMs;
  };
  const retries = health.integer('Retries') ?? 0;
  if (retries < 0) throw invalid('Retries in Healthcheck cannot be negative');
  return {
    test: health.texts('Test') ?? [],
    intervalMs: duration('Interval', 30_000),
    timeoutMs: duration('Timeout', 30_000),
    startPeriodMs: duration('StartPeriod', 0),
    startIntervalMs: duration('StartInterval', 5_000),
    retries: retries === 0 ? 3 : retries,
  };
}

const ulimitNames = [
  ...['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice'],
  ...['nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'],
];

function readUlimits(host: Fields): ContainerSettings['ulimits'] {
  return host.objects('Ulimits').map((ulimit) => {
    const name = ulimit.text('Name') ?? '';
    const soft = ulimit.integer('Soft') ?? 0;
    const hard = ulimit.integer('Hard') ?? soft;
    if (!ulimitNames.includes(name)) throw invalid(`invalid ulimit type: ${name}`);
    // -1 means unlimited, which is above every other hard limit.
    if (hard !== -1 && (soft > hard || soft === -1))
      throw invalid(
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    return { name, soft, hard };
  });
}

function readOomScoreAdj(host: Fields): number | undefined {
  const value = host.integer('OomScoreAdj') ?? 0;
  if (value < -1000 || value > 1000)
    throw invalid(`Invalid value ${value}, range for oom score adj is [-1000, 1000]`);
  return value === 0 ? undefined : value;
}

function readShmBytes(host: Fields): number | undefined {
  const bytes = host.integer('ShmSize') ?? 0;
  if (bytes < 0) throw invalid('SHM size can not be less than 0');
  return bytes === 0 ? undefined : bytes;
}

function originOf(body: Fields, host: Fields, networking: Fields): CreateRequest['origin'] {
  const config = Object.fromEntries(
    Object.entries(body.document).filter(
      ([name]) => !['hostconfig', 'networkingconfig'].includes(name.toLowerCase()),
    ),
  );
  return { config, hostConfig: host.document, networkingConfig: networking.document };
}

/** Options without effect here, which a warning names. */
function unservedOptions(host: Fields): string[] {
  const warnings: string[] = [];
  const published = Object.keys(host.objectOrEmpty('PortBindings').document).length > 0;
  if (host.filled('NetworkMode') === 'host' && (published || host.flag('PublishAllPorts')))
    warnings.push('Published ports are discarded when using host network mode');
  if (host.filled('CgroupParent') !== undefined)
    warnings.push(
      '--cgroup-parent is not used: every container has its own cgroup below the agent',
    );
  if (
    (host.integer('CpuRealtimePeriod') ?? 0) !== 0 ||
    (host.integer('CpuRealtimeRuntime') ?? 0) !== 0
  )
    warnings.push('Realtime CPU limits are not supported. They are discarded.');
  return warnings;
}
