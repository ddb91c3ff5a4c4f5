/** What the New container page holds, and the request that it stands for. */
import type { ContainerCreateRequest } from '../../bridge/containers.ts';
import { splitWords } from './shell-words.ts';

export type RestartChoice = 'no' | 'on-failure' | 'unless-stopped' | 'always';

/** `own`: nobody's outside, by a user namespace of its own. `machine`: the machine's root. */
export type RootChoice = 'own' | 'machine';

export interface EnvRow {
  key: number;
  name: string;
  value: string;
}

export interface PortRow {
  key: number;
  host: string;
  container: string;
  protocol: 'tcp' | 'udp';
}

export interface MountRow {
  key: number;
  /** A host path (starts with `/`), a volume's name, or nothing for an anonymous volume. */
  source: string;
  target: string;
  readOnly: boolean;
}

export interface Form {
  image: string;
  name: string;
  command: string;
  entrypoint: string;
  env: EnvRow[];
  ports: PortRow[];
  mounts: MountRow[];
  /** `bridge`, `none`, `host`, or a network's name. */
  network: string;
  restart: RestartChoice;
  restartRetries: number;
  /** Count of CPUs, one decimal. */
  cpus: number | undefined;
  memoryBytes: number | undefined;
  /** Memory and swap together, as Docker counts it; undefined leaves the engine's default. */
  memoryWithSwapBytes: number | undefined;
  pids: number | undefined;
  /** Of its own files; undefined leaves the engine's default, 0 declines it. */
  diskBytes: number | undefined;
  diskInodes: number | undefined;
  cpuShares: number | undefined;
  cpuset: string;
  terminal: boolean;
  openStdin: boolean;
  autoRemove: boolean;
  init: boolean;
  readOnlyRootfs: boolean;
  privileged: boolean;
  /** Whose its root is outside; undefined leaves it to the engine. */
  root: RootChoice | undefined;
  user: string;
  workingDirectory: string;
  hostname: string;
  labels: string[];
  addCapabilities: string[];
  dropCapabilities: string[];
  tmpfs: string[];
  securityOptions: string[];
}

let lastKey = 0;

/** A key for a new row of a list, so that React tells rows apart. */
export function rowKey(): number {
  lastKey += 1;
  return lastKey;
}

export function emptyForm(image = ''): Form {
  return {
    image,
    name: '',
    command: '',
    entrypoint: '',
    env: [],
    ports: [],
    mounts: [],
    network: 'bridge',
    restart: 'no',
    restartRetries: 0,
    cpus: undefined,
    memoryBytes: undefined,
    memoryWithSwapBytes: undefined,
    pids: undefined,
    diskBytes: undefined,
    diskInodes: undefined,
    cpuShares: undefined,
    cpuset: '',
    terminal: false,
    openStdin: false,
    autoRemove: false,
    init: false,
    readOnlyRootfs: false,
    privileged: false,
    root: undefined,
    user: '',
    workingDirectory: '',
    hostname: '',
    labels: [],
    addCapabilities: [],
    dropCapabilities: [],
    tmpfs: [],
    securityOptions: [],
  };
}

export function toCreateRequest(form: Form): ContainerCreateRequest {
  return {
    Image: form.image.trim(),
    Cmd: form.command.trim() === '' ? undefined : splitWords(form.command),
    Entrypoint: form.entrypoint.trim() === '' ? undefined : splitWords(form.entrypoint),
    Env: form.env.filter((row) => row.name !== '').map((row) => `${row.name}=${row.value}`),
    Tty: form.terminal,
    OpenStdin: form.openStdin,
    User: form.user || undefined,
    WorkingDir: form.workingDirectory || undefined,
    Hostname: form.hostname || undefined,
    Labels: Object.fromEntries(form.labels.map(pair)),
    ExposedPorts: Object.fromEntries(form.ports.map((row) => [portKey(row), {}])),
    HostConfig: toHostConfig(form),
  };
}

function toHostConfig(form: Form): ContainerCreateRequest['HostConfig'] {
  return {
    Binds: form.mounts
      .filter((row) => row.source !== '')
      .map((row) => `${row.source}:${row.target}${row.readOnly ? ':ro' : ''}`),
    Mounts: form.mounts
      .filter((row) => row.source === '' && row.target !== '')
      .map((row) => ({ Type: 'volume', Target: row.target, ReadOnly: row.readOnly })),
    PortBindings: portBindings(form.ports),
    NetworkMode: form.network,
    RestartPolicy: {
      Name: form.restart,
      MaximumRetryCount: form.restart === 'on-failure' ? form.restartRetries : 0,
    },
    NanoCpus: form.cpus === undefined ? undefined : Math.round(form.cpus * 1e9),
    CpuShares: form.cpuShares,
    CpusetCpus: form.cpuset || undefined,
    Memory: form.memoryBytes,
    MemorySwap: form.memoryWithSwapBytes,
    PidsLimit: form.pids,
    StorageOpt: storageOptions(form),
    AutoRemove: form.autoRemove,
    Init: form.init || undefined,
    ReadonlyRootfs: form.readOnlyRootfs,
    Privileged: form.privileged,
    CapAdd: form.addCapabilities,
    CapDrop: form.dropCapabilities,
    SecurityOpt: form.securityOptions,
    UsernsMode: form.root && { own: 'auto', machine: 'host' }[form.root],
    Tmpfs: Object.fromEntries(
      form.tmpfs.map((entry) => {
        const [path = '', options = ''] = entry.split(/:(.*)/);
        return [path, options];
      }),
    ),
  };
}

function storageOptions({ diskBytes, diskInodes }: Form): Record<string, string> | undefined {
  if (diskBytes === undefined && diskInodes === undefined) return undefined;
  return {
    ...(diskBytes !== undefined && { size: String(diskBytes) }),
    ...(diskInodes !== undefined && { inodes: String(diskInodes) }),
  };
}

function portBindings(ports: PortRow[]): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const row of ports.filter((port) => port.container !== '')) {
    const at = row.host.lastIndexOf(':');
    bindings[portKey(row)] ??= [];
    bindings[portKey(row)]!.push({
      HostIp: at === -1 ? '' : row.host.slice(0, at).replace(/^\[|\]$/g, ''),
      HostPort: row.host.slice(at + 1),
    });
  }
  return bindings;
}

function portKey(row: PortRow): string {
  return `${row.container}/${row.protocol}`;
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
