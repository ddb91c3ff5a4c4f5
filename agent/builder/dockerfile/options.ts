/** The client's options of a Dockerfile build, in BuildKit's names (frontend/dockerui). */
import { isIP } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { csvFields } from '../../dockerfile/csv.ts';
import { type LintOptions, parseLintOptions } from '../../dockerfile/linter.ts';
import { invalid } from '../../errors.ts';
import { type LinuxResources, LinuxResourcesSchema, NetMode, type Platform } from '../llb/ops.ts';
import type { ResolveMode } from '../llb/sources.ts';
import { normalized, parsePlatform } from './platforms.ts';

export interface BuildOptions {
  raw: Readonly<Record<string, string>>;
  filename: string;
  /** Empty: the last stage. */
  target: string;
  buildArgs: ReadonlyMap<string, string>;
  labels: Readonly<Record<string, string>>;
  /** This machine's. */
  buildPlatform: Platform;
  /** Empty when the client did not say. */
  targetPlatforms: Platform[];
  isMultiPlatform: boolean;
  resolveMode: ResolveMode;
  /** Stages whose cache is not used; `all` or names. */
  noCache: 'all' | readonly string[];
  extraHosts: { Host: string; IP: string }[];
  shmBytes: number;
  ulimits: { Name: string; Soft: bigint; Hard: bigint }[];
  resources: LinuxResources | undefined;
  cgroupParent: string;
  hostname: string;
  network: NetMode;
  /** Before the ids of cache mounts. */
  cacheNamespace: string;
  /** Instead of the Dockerfile's `# check=`. */
  lint: LintOptions | undefined;
  /** Sessions of local sources that other clients than the build's own bring. */
  localSessions: Readonly<Record<string, string>>;
}

/** Throws invalid, naming the option. */
export function readOptions(
  raw: Readonly<Record<string, string>>,
  platforms: readonly Platform[],
): BuildOptions {
  const host = platforms[0];
  if (host === undefined) throw invalid('this machine does not say which platform it is');
  const buildPlatform = normalized(host);
  const targetPlatforms = listOf(raw.platform).map((text) => parsePlatform(text, buildPlatform));
  const buildArgs = prefixed(raw, 'build-arg:');
  return {
    raw,
    filename: raw.filename ?? 'Dockerfile',
    target: raw.target ?? '',
    buildArgs: new Map(Object.entries(buildArgs)),
    labels: prefixed(raw, 'label:'),
    buildPlatform,
    targetPlatforms,
    isMultiPlatform: isMultiPlatform(raw, targetPlatforms),
    resolveMode: resolveModeOf(raw['image-resolve-mode'] ?? ''),
    noCache: raw['no-cache'] === '' ? 'all' : listOf(raw['no-cache']),
    extraHosts: fieldsOf(raw['add-hosts'], 'add-hosts').map(hostOf),
    shmBytes: numberOf(raw['shm-size'], 'shm-size') ?? 0,
    ulimits: fieldsOf(raw.ulimit, 'ulimit').map(ulimitOf),
    resources: resourcesOf(raw),
    cgroupParent: raw['cgroup-parent'] ?? '',
    hostname: buildArgs.BUILDKIT_SANDBOX_HOSTNAME || (raw.hostname ?? ''),
    network: networkOf(raw['force-network-mode'] ?? ''),
    cacheNamespace: buildArgs.BUILDKIT_CACHE_MOUNT_NS ?? '',
    lint:
      buildArgs.BUILDKIT_DOCKERFILE_CHECK === undefined
        ? undefined
        : parseLintOptions(buildArgs.BUILDKIT_DOCKERFILE_CHECK),
    localSessions: prefixed(raw, 'local-sessionid:'),
  };
}

/** Whether the stage of that name is built anew. */
export function isWithoutCache({ noCache }: BuildOptions, stageName: string): boolean {
  return noCache === 'all' || noCache.some((name) => name.toLowerCase() === stageName);
}

function prefixed(raw: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(raw)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
}

function listOf(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : text.split(',');
}

function isMultiPlatform(
  raw: Readonly<Record<string, string>>,
  targetPlatforms: readonly Platform[],
): boolean {
  const wanted = raw['build-arg:BUILDKIT_MULTI_PLATFORM'] || raw['multi-platform'];
  if (!wanted) return targetPlatforms.length > 1;
  const value = booleanOf(wanted);
  if (value === undefined) throw invalid(`invalid boolean value for multi-platform: ${wanted}`);
  if (!value && targetPlatforms.length > 1)
    throw invalid('conflicting config: returning multiple target platforms is not allowed');
  return value;
}

/** As Go's strconv.ParseBool reads it. */
export function booleanOf(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}

function resolveModeOf(text: string): ResolveMode {
  if (text === '' || text === 'default') return 'default';
  if (text === 'pull' || text === 'local') return text;
  throw invalid(`invalid image-resolve-mode: ${text}`);
}

function networkOf(text: string): NetMode {
  switch (text) {
    case '':
    case 'sandbox':
      return NetMode.UNSET;
    case 'none':
      return NetMode.NONE;
    case 'host':
      return NetMode.HOST;
    default:
      throw invalid(`invalid netmode ${text}: there are none, host and sandbox`);
  }
}

function fieldsOf(text: string | undefined, option: string): string[] {
  if (text === undefined || text === '') return [];
  try {
    return csvFields(text);
  } catch (error) {
    throw invalid(`failed to parse ${option}: ${(error as Error).message}`, error);
  }
}

function hostOf(field: string): { Host: string; IP: string } {
  const [, host, address = ''] = /^([^=]*)=(.*)$/s.exec(field.toLowerCase()) ?? [];
  if (host === undefined)
    throw invalid(`failed to parse additional hosts: invalid key-value pair ${field}`);
  if (isIP(address) === 0)
    throw invalid(`failed to parse additional hosts: failed to parse IP ${address}`);
  return { Host: host, IP: address };
}

/** `nofile=1024:2048` or `nofile=1024`. */
function ulimitOf(field: string): { Name: string; Soft: bigint; Hard: bigint } {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(field) ?? [];
  if (name === undefined || soft === undefined || hard === undefined)
    throw invalid(`failed to parse ulimit: ${JSON.stringify(field)} is not like nofile=1024:2048`);
  return { Name: name, Soft: BigInt(soft), Hard: BigInt(hard) };
}

/** Undefined when nothing limits a step beyond the builder's own limits. */
function resourcesOf(raw: Readonly<Record<string, string>>): LinuxResources | undefined {
  const memory = positive(raw.memory, 'memory');
  const memorySwap = raw.memswap === '-1' ? -1 : positive(raw.memswap, 'memswap');
  const cpuShares = positive(raw.cpushares, 'cpushares');
  const cpuPeriod = positive(raw.cpuperiod, 'cpuperiod');
  const cpuQuota = positive(raw.cpuquota, 'cpuquota');
  const cpusetCpus = cpusetOf(raw.cpusetcpus, 'cpusetcpus');
  const cpusetMems = cpusetOf(raw.cpusetmems, 'cpusetmems');
  const numbers = [memory, memorySwap, cpuShares, cpuPeriod, cpuQuota];
  if (numbers.every((number) => number === 0) && cpusetCpus === '' && cpusetMems === '')
    return undefined;
  return create(LinuxResourcesSchema, {
    memory: BigInt(memory),
    memorySwap: BigInt(memorySwap),
    cpuShares: BigInt(cpuShares),
    cpuPeriod: BigInt(cpuPeriod),
    cpuQuota: BigInt(cpuQuota),
    cpusetCpus,
    cpusetMems,
  });
}

function positive(text: string | undefined, option: string): number {
  const number = numberOf(text, option) ?? 0;
  if (text !== undefined && text !== '' && number <= 0)
    throw invalid(`invalid ${option} value: ${text}: must be > 0`);
  return number;
}

function numberOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d{1,16}$/.test(text)) throw invalid(`invalid ${option} value: ${text}`);
  return Number(text);
}

function cpusetOf(text: string | undefined, option: string): string {
  if (text === undefined || text === '') return '';
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) throw invalid(`invalid ${option} value: ${text}`);
  return text;
}
