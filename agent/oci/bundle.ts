/** Reads a bundle's config.json (config.md). */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  hookNames,
  type OciDevice,
  type OciHooks,
  type OciIdMapping,
  type OciLinux,
  type OciMount,
  type OciNamespaceType,
  type OciProcess,
  type OciSeccomp,
  type OciSpec,
} from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { checkSelinux } from '../runtime/security-labels.ts';
import { isListed, isNew } from '../runtime/spec-namespaces.ts';
import { readIntelRdt } from './intel-rdt.ts';
import { JsonReader } from './json-reader.ts';
import { readProcess } from './process-document.ts';
import { readResources } from './resources-document.ts';

export interface Bundle {
  /** Absolute path of the bundle. */
  path: string;
  /** Text of config.json for later `exec` and hooks, which changes to the bundle must not affect. */
  text: string;
  config: Config;
}

export interface Config {
  spec: OciSpec;
  /** Absolute path of the root file system. */
  rootfs: string;
  /** Whether there is a process: config.md allows a container without one, which cannot be started. */
  hasProcess: boolean;
}

type Warn = (text: string) => void;

/** Reads a bundle. Throws invalid when `config`, a file in `directory`, is absent or malformed. */
export function readBundle(directory: string, warn: Warn, config = 'config.json'): Bundle {
  const path = resolve(directory);
  const file = resolve(path, config);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR'))
      throw invalid(`${path} is no bundle: it has no ${config}. Give one with --bundle.`, error);
    throw error;
  }
  return { path, text, config: parseConfig(text, path, warn) };
}

export function parseConfig(text: string, bundle: string, warn: Warn): Config {
  const reader = new JsonReader(parseJson(text), 'config.json');
  checkVersion(reader);
  const root = reader.at('root');
  const rootPath = root.at('path').required().string();
  const process = reader.at('process');
  const spec: OciSpec = {
    ociVersion: reader.at('ociVersion').required().string(),
    process: process.isPresent ? readProcess(process, warn) : absentProcess,
    root: { path: rootPath, readonly: root.at('readonly').boolean() ?? false },
    hostname: reader.at('hostname').string(),
    domainname: reader.at('domainname').string(),
    mounts: reader.at('mounts').list(readMount) ?? [],
    hooks: readHooks(reader.at('hooks')),
    annotations: reader.at('annotations').map((item) => item.required().string()),
    linux: withMappings(readLinux(reader.at('linux')), warn),
  };
  checkNames(spec);
  checkMappedMounts(spec);
  return { spec, rootfs: resolve(bundle, rootPath), hasProcess: process.isPresent };
}

export function checkRootfs(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw invalid(`the root file system ${path} is not a directory`);
}

/** Placeholder for an absent process, which `start` refuses. */
const absentProcess: OciProcess = {
  user: { uid: 0, gid: 0 },
  args: ['/proc/self/exe'],
  env: [],
  cwd: '/',
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`config.json is not JSON: ${(error as Error).message}`, error);
  }
}

/** Checks ociVersion: minor versions only add properties, but another major version could mean anything. */
function checkVersion(reader: JsonReader): void {
  const version = reader.at('ociVersion').required().string();
  if (!/^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/.test(version))
    throw reader.at('ociVersion').wrong(`"${version}" is not a version (semver.org)`);
  if (!version.startsWith('1.'))
    throw reader.at('ociVersion').wrong(`is ${version}; this runtime knows 1.0.0 to 1.2.1`);
}

function checkNames({ hostname, domainname, linux }: OciSpec): void {
  if (!isListed({ linux }, 'uts') && (hostname || domainname))
    throw invalid('config.json names the host, so linux.namespaces must have a uts namespace');
}

/** Refuses ID-mapped mounts without a mapping (config.md, "idmap"). */
function checkMappedMounts(spec: OciSpec): void {
  for (const { destination, options = [], uidMappings } of spec.mounts)
    if (options.some((option) => option === 'idmap' || option === 'ridmap'))
      if (uidMappings === undefined && !isListed(spec, 'user'))
        throw invalid(
          `the mount on "${destination}" is ID-mapped: give its uidMappings and gidMappings, or the container a user namespace`,
        );
}

function readMount(item: JsonReader): OciMount {
  const uidMappings = item.at('uidMappings').list(readIdMapping) ?? [];
  const gidMappings = item.at('gidMappings').list(readIdMapping) ?? [];
  if (uidMappings.length > 0 !== gidMappings.length > 0)
    throw item.wrong('has mappings of users or groups alone; give uidMappings and gidMappings');
  const options = item.at('options').strings() ?? [];
  const destination = item.at('destination').required().string();
  const [type, source] = [item.at('type').string(), item.at('source').string()];
  return {
    destination,
    options,
    ...(type && { type }),
    ...(source && { source }),
    ...(uidMappings.length > 0 && { uidMappings, gidMappings }),
  };
}

function readHooks(reader: JsonReader): OciHooks {
  const hooks: OciHooks = {};
  for (const name of hookNames)
    hooks[name] = reader.at(name).list((item) => {
      const path = item.at('path').required().string();
      if (!path.startsWith('/')) throw item.wrong(`has the path "${path}", which is not absolute`);
      const timeout = item.at('timeout').integer();
      if (timeout !== undefined && timeout <= 0)
        throw item.wrong('has a timeout that is not greater than zero');
      const env = item.at('env').strings();
      const bare = env?.find((pair) => pair.indexOf('=') < 1);
      if (bare !== undefined) throw item.wrong(`has "${bare}" in env, which is not name=value`);
      return { path, args: item.at('args').strings(), env, timeout };
    });
  return hooks;
}

export const namespaceTypes: readonly OciNamespaceType[] = [
  ...(['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'] as const),
];

function readLinux(reader: JsonReader): OciLinux {
  const intelRdt = readIntelRdt(reader.at('intelRdt'));
  const mountLabel = reader.at('mountLabel').string();
  if (mountLabel) checkSelinux('linux.mountLabel');
  const propagation = reader.at('rootfsPropagation').string();
  return {
    namespaces: readNamespaces(reader.at('namespaces')),
    uidMappings: reader.at('uidMappings').list(readIdMapping),
    gidMappings: reader.at('gidMappings').list(readIdMapping),
    devices: reader.at('devices').list(readDevice),
    maskedPaths: reader.at('maskedPaths').strings(),
    readonlyPaths: reader.at('readonlyPaths').strings(),
    sysctl: reader.at('sysctl').map((item) => item.required().string()),
    seccomp: readSeccomp(reader.at('seccomp')),
    ...(propagation && { rootfsPropagation: checkedPropagation(reader, propagation) }),
    cgroupsPath: reader.at('cgroupsPath').string(),
    resources: readResources(reader.at('resources')),
    timeOffsets: readTimeOffsets(reader.at('timeOffsets')),
    personality: readPersonality(reader.at('personality')),
    ...(mountLabel && { mountLabel }),
    ...(intelRdt && { intelRdt }),
  };
}

/** Adds mappings to a user namespace without any, as crun does: only ID 0 is mapped. */
function withMappings(linux: OciLinux, warn: Warn): OciLinux {
  const { uidMappings = [], gidMappings = [] } = linux;
  if (!isNew({ linux }, 'user') || uidMappings.length + gidMappings.length > 0) return linux;
  warn('the user namespace has no uidMappings and gidMappings: only its root is mapped');
  const root = [{ containerID: 0, hostID: 0, size: 1 }];
  return { ...linux, uidMappings: root, gidMappings: root };
}

function readTimeOffsets(reader: JsonReader): OciLinux['timeOffsets'] {
  const clocks = reader.map((item) => ({
    secs: item.at('secs').integer() ?? 0,
    nanosecs: item.at('nanosecs').integer() ?? 0,
  }));
  for (const clock of Object.keys(clocks ?? {}))
    if (clock !== 'monotonic' && clock !== 'boottime')
      throw reader.wrong(`has the clock "${clock}": use monotonic or boottime`);
  return clocks;
}

function readPersonality(reader: JsonReader): OciLinux['personality'] {
  if (!reader.isPresent) return undefined;
  const domain = reader.at('domain').required().string();
  if (domain !== 'LINUX' && domain !== 'LINUX32')
    throw reader.at('domain').wrong(`is "${domain}": use LINUX or LINUX32`);
  const [flag] = reader.at('flags').strings() ?? [];
  // The specification defines no flags so far.
  if (flag !== undefined) throw reader.at('flags').wrong(`has "${flag}", which is not known`);
  return { domain };
}

function checkedPropagation(reader: JsonReader, value: string): string {
  if (!/^r?(shared|slave|private|unbindable)$/.test(value))
    throw reader.at('rootfsPropagation').wrong(`"${value}" is none of shared, slave, private, …`);
  return value;
}

function readNamespaces(reader: JsonReader): OciLinux['namespaces'] {
  const seen = new Set<string>();
  const list = reader.list((item) => {
    const type = item.at('type').required().string();
    if (!isNamespaceType(type)) throw item.wrong(`"${type}" is not a namespace of this runtime`);
    if (seen.has(type)) throw item.wrong(`repeats ${type}`);
    seen.add(type);
    const path = item.at('path').string();
    if (path && !path.startsWith('/')) throw item.wrong(`has the path "${path}": not absolute`);
    return { type, ...(path && { path }) };
  });
  return list ?? [];
}

function isNamespaceType(type: string): type is OciNamespaceType {
  return (namespaceTypes as readonly string[]).includes(type);
}

function readIdMapping(item: JsonReader): OciIdMapping {
  return {
    containerID: item.at('containerID').required().integer(),
    hostID: item.at('hostID').required().integer(),
    size: item.at('size').required().integer(),
  };
}

function readDevice(item: JsonReader): OciDevice {
  const type = item.at('type').required().string();
  if (!/^[cbup]$/.test(type)) throw item.wrong(`has the type "${type}": use c, b, u or p`);
  return {
    path: item.at('path').required().string(),
    type: type as OciDevice['type'],
    major: item.at('major').integer() ?? 0,
    minor: item.at('minor').integer() ?? 0,
    fileMode: item.at('fileMode').integer(),
    uid: item.at('uid').integer(),
    gid: item.at('gid').integer(),
  };
}

function readSeccomp(reader: JsonReader): OciSeccomp | undefined {
  if (!reader.isPresent) return undefined;
  return {
    defaultAction: reader.at('defaultAction').required().string(),
    defaultErrnoRet: reader.at('defaultErrnoRet').integer(),
    architectures: reader.at('architectures').strings(),
    flags: reader.at('flags').strings(),
    listenerPath: reader.at('listenerPath').string(),
    listenerMetadata: reader.at('listenerMetadata').string(),
    syscalls:
      reader.at('syscalls').list((item) => ({
        names: item.at('names').required().strings(),
        action: item.at('action').required().string(),
        errnoRet: item.at('errnoRet').integer(),
        args: item.at('args').list((argument) => ({
          index: argument.at('index').required().integer(),
          value: argument.at('value').required().integer(),
          valueTwo: argument.at('valueTwo').integer(),
          op: argument.at('op').required().string(),
        })),
      })) ?? [],
  };
}
