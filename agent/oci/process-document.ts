/** Reads `process` of a config.json and the document of `exec --process` (config.md, "Process"). */
import type { OciProcess } from '../contract/oci-runtime.ts';
import { capabilityNames } from '../runtime/capabilities.ts';
import type { JsonReader } from './json-reader.ts';

const capabilitySets = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const;
const known = new Set<string>(capabilityNames);

/** `warn` gets unknown capabilities, which must not be an error. */
export function readProcess(reader: JsonReader, warn: (text: string) => void): OciProcess {
  const cwd = reader.at('cwd').required().string();
  if (!cwd.startsWith('/')) throw reader.at('cwd').wrong(`must be an absolute path, not "${cwd}"`);
  return {
    terminal: reader.at('terminal').boolean(),
    consoleSize: readConsoleSize(reader.at('consoleSize')),
    user: readUser(reader.at('user')),
    args: reader.at('args').strings() ?? [],
    env: reader.at('env').strings() ?? [],
    cwd,
    capabilities: readCapabilities(reader.at('capabilities'), warn),
    rlimits: readRlimits(reader.at('rlimits')),
    noNewPrivileges: reader.at('noNewPrivileges').boolean(),
    oomScoreAdj: reader.at('oomScoreAdj').integer(),
    scheduler: readScheduler(reader.at('scheduler')),
    ioPriority: readIoPriority(reader.at('ioPriority')),
    apparmorProfile: reader.at('apparmorProfile').string(),
    selinuxLabel: reader.at('selinuxLabel').string(),
    execCPUAffinity: {
      initial: reader.at('execCPUAffinity').at('initial').string(),
      final: reader.at('execCPUAffinity').at('final').string(),
    },
  };
}

function readConsoleSize(reader: JsonReader): OciProcess['consoleSize'] {
  if (!reader.isPresent) return undefined;
  return {
    height: reader.at('height').required().integer(),
    width: reader.at('width').required().integer(),
  };
}

function readUser(reader: JsonReader): OciProcess['user'] {
  const additionalGids = reader.at('additionalGids').list((item) => item.required().integer());
  const umask = reader.at('umask').integer();
  return {
    uid: reader.at('uid').integer() ?? 0,
    gid: reader.at('gid').integer() ?? 0,
    ...(additionalGids && { additionalGids }),
    ...(umask !== undefined && { umask }),
  };
}

function readCapabilities(
  reader: JsonReader,
  warn: (text: string) => void,
): OciProcess['capabilities'] {
  const unknown = new Set<string>();
  const sets = capabilitySets.map((set) => {
    const names = reader.at(set).strings() ?? [];
    for (const name of names) if (!known.has(name)) unknown.add(name);
    return [set, names.filter((name) => known.has(name))] as const;
  });
  for (const name of unknown) warn(`unknown capability "${name}" is not given`);
  const capabilities: OciProcess['capabilities'] = Object.fromEntries(sets);
  return { ...capabilities, ambient: possibleAmbient(capabilities, warn) };
}

/** Drops ambient capabilities that are not both permitted and inheritable, which the kernel refuses (capabilities(7)). */
function possibleAmbient(
  capabilities: NonNullable<OciProcess['capabilities']>,
  warn: (text: string) => void,
): string[] {
  const { ambient = [], permitted = [], inheritable = [] } = capabilities;
  const possible = ambient.filter((name) => permitted.includes(name) && inheritable.includes(name));
  for (const name of ambient)
    if (!possible.includes(name))
      warn(`ambient capability "${name}" is not given: it is not permitted and inheritable too`);
  return possible;
}

function readRlimits(reader: JsonReader): OciProcess['rlimits'] {
  const seen = new Set<string>();
  return reader.list((item) => {
    const type = item.at('type').required().string();
    if (seen.has(type)) throw item.wrong(`repeats ${type}`);
    seen.add(type);
    const soft = item.at('soft').required().integer();
    return { type, soft, hard: item.at('hard').required().integer() };
  });
}

function readScheduler(reader: JsonReader): OciProcess['scheduler'] {
  if (!reader.isPresent) return undefined;
  return {
    policy: reader.at('policy').required().string(),
    nice: reader.at('nice').integer(),
    priority: reader.at('priority').integer(),
    flags: reader.at('flags').strings(),
    runtime: reader.at('runtime').integer(),
    deadline: reader.at('deadline').integer(),
    period: reader.at('period').integer(),
  };
}

function readIoPriority(reader: JsonReader): OciProcess['ioPriority'] {
  if (!reader.isPresent) return undefined;
  return {
    class: reader.at('class').required().string(),
    priority: reader.at('priority').integer() ?? 0,
  };
}
