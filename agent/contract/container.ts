/**
 * Containers in the engine's own terms. Docker's words (HostConfig, NanoCpus) are translated at the
 * API's edge and go no further.
 */
import type { Limits } from './limits.ts';

/** What a person asked for. Absent fields mean the image's own value, or the default. */
export interface ContainerSettings {
  image: string;
  /** `linux/amd64`; only checked, never emulated. */
  platform?: string;
  hostname?: string;
  domainname?: string;
  user?: string;
  workingDirectory?: string;
  entrypoint?: string[];
  args?: string[];
  env: string[];
  labels: Record<string, string>;
  terminal: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  stopSignal?: string;
  stopTimeoutSeconds?: number;
  /** A small init as PID 1 that reaps and forwards signals. */
  init: boolean;
  autoRemove: boolean;
  readOnlyRootfs: boolean;
  security: SecuritySettings;
  sysctls: Record<string, string>;
  ulimits: { name: string; soft: number; hard: number }[];
  oomScoreAdj?: number;
  shmBytes?: number;
  extraGroups: string[];
  namespaces: {
    pid: NamespaceChoice;
    ipc: NamespaceChoice;
    uts: 'private' | 'host';
    cgroup: 'private' | 'host';
    /** `auto`: its root is nobody outside. Absent in a request: the machine's default. */
    user?: 'host' | 'auto';
  };
  mounts: MountSettings[];
  network: NetworkSettings;
  limits: Limits;
  restart: RestartPolicy;
  log: LogSettings;
  health?: HealthCheck;
}

export type NamespaceChoice = 'private' | 'host' | { container: string };

export interface SecuritySettings {
  privileged: boolean;
  addCapabilities: string[];
  dropCapabilities: string[];
  noNewPrivileges: boolean;
  /** A profile in Docker's JSON form, `default`, or `unconfined`. */
  seccomp: 'default' | 'unconfined' | { profile: string };
  devices: { hostPath: string; containerPath: string; permissions: string }[];
  deviceRules: string[];
  /** Undefined: the default lists. */
  maskedPaths?: string[];
  readonlyPaths?: string[];
}

export type MountSettings =
  | {
      type: 'bind';
      source: string;
      target: string;
      readOnly: boolean;
      propagation?: string;
      /** `-v` makes a missing source directory; `--mount` refuses. */
      createSource: boolean;
      recursive: boolean;
      /** Ids on the disk are those inside; only in a container with a user namespace. */
      mapIds?: boolean;
    }
  | {
      type: 'volume';
      /** Absent: an anonymous volume, removed with its container by `rm -v` or auto-remove. */
      name?: string;
      target: string;
      readOnly: boolean;
      /** Do not copy what the image has at the target into an empty volume. */
      noCopy: boolean;
      labels: Record<string, string>;
      driverOptions: Record<string, string>;
    }
  | { type: 'tmpfs'; target: string; options: string[]; sizeBytes?: number; mode?: number };

export interface NetworkSettings {
  mode: 'none' | 'host' | { container: string } | { networks: EndpointSettings[] };
  ports: PortBinding[];
  /** Publish every exposed port on a free host port. */
  publishAll: boolean;
  exposedPorts: string[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  /** `name:address` lines for /etc/hosts; `host-gateway` is the bridge's own address. */
  extraHosts: string[];
}

export interface EndpointSettings {
  /** Name or id; `bridge` is the default network. */
  network: string;
  aliases: string[];
  ipv4Address?: string;
  macAddress?: string;
}

export interface PortBinding {
  containerPort: number;
  protocol: 'tcp' | 'udp';
  /** Default every address. */
  hostAddress?: string;
  /** First of the range to try; 0 or absent: any free port. */
  hostPort?: number;
  hostPortEnd?: number;
}

export interface RestartPolicy {
  name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** 0: no bound; only for `on-failure`. */
  maximumRetryCount: number;
}

export interface LogSettings {
  /** Every driver name that asks for local files is served by our one framed log; `none` keeps none. */
  driver: string;
  options: Record<string, string>;
}

export interface HealthCheck {
  /** `['NONE']`, `['CMD', …]` or `['CMD-SHELL', line]`. */
  test: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

export interface ContainerState {
  status: ContainerStatus;
  pid: number;
  exitCode: number;
  oomKilled: boolean;
  /** Why the last start failed; empty otherwise. */
  error: string;
  startedAt?: Date;
  finishedAt?: Date;
  restartCount: number;
  health?: {
    status: 'starting' | 'healthy' | 'unhealthy';
    failingStreak: number;
    log: { start: Date; end: Date; exitCode: number; output: string }[];
  };
}

/** Everything known of one container. */
export interface ContainerView {
  id: string;
  name: string;
  createdAt: Date;
  imageId: string;
  settings: ContainerSettings;
  /** The command as it runs, after the image's defaults were applied. */
  process: { path: string; args: string[]; env: string[]; workingDirectory: string; user: string };
  state: ContainerState;
  mounts: MountView[];
  networks: EndpointView[];
  ports: PublishedPort[];
  networkSandboxId: string;
  logDirectory: string;
  /**
   * `lowers`: the topmost first. `space`: what limits the writable layer's disk space (agent/disk), in
   * which `upper` and `work` lie; absent when they lie on the state file system itself.
   */
  rootfs: { upper: string; work: string; lowers: string[]; space?: string };
  files: { hosts: string; hostname: string; resolvConf: string };
  /** The create request as its client sent it, for the fields that only inspect echoes. */
  origin: CreateOrigin;
}

/** Docker's three documents of a create request, opaque to the engine. */
export interface CreateOrigin {
  config: Record<string, unknown>;
  hostConfig: Record<string, unknown>;
  networkingConfig: Record<string, unknown>;
}

export interface MountView {
  type: 'bind' | 'volume' | 'tmpfs';
  name?: string;
  source: string;
  target: string;
  readOnly: boolean;
  propagation: string;
  /** A bind whose ids on the disk are those inside. */
  mapIds?: boolean;
  /** A bind of a folder of the host, which is there only while the host shares it. */
  isOfHost?: boolean;
}

export interface EndpointView {
  networkId: string;
  networkName: string;
  endpointId: string;
  ipv4Address: string;
  prefixLength: number;
  gateway: string;
  macAddress: string;
  aliases: string[];
}

export interface PublishedPort {
  containerPort: number;
  protocol: 'tcp' | 'udp';
  /** Absent: exposed, not published. */
  hostAddress?: string;
  hostPort?: number;
}

/** The one table of allowed states; the API asks it, and the UI's buttons ask its copy of the answer. */
export const allowedStates = {
  start: ['created', 'exited', 'dead'],
  stop: ['running', 'paused', 'restarting'],
  restart: ['created', 'running', 'paused', 'restarting', 'exited', 'dead'],
  kill: ['running', 'paused', 'restarting'],
  pause: ['running'],
  unpause: ['paused'],
  exec: ['running'],
  attach: ['created', 'running', 'exited'],
  remove: ['created', 'exited', 'dead'],
} as const satisfies Record<string, readonly ContainerStatus[]>;

export type ContainerVerb = keyof typeof allowedStates;

export function allows(verb: ContainerVerb, status: ContainerStatus): boolean {
  return (allowedStates[verb] as readonly ContainerStatus[]).includes(status);
}
