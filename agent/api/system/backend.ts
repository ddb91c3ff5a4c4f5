import type { MachineAbilities } from '../../contract/abilities.ts';
import type { MachineProcesses } from '../../contract/processes.ts';
import type { ProxySettings } from '../../contract/proxies.ts';

/** Declares what the system routes (info, version, events, disk use) need of the engine. */
export interface SystemBackend {
  info(): Promise<SystemFacts>;
  /** Yields past events from `since` on, then (unless `until` has passed) live ones until aborted. */
  events(options: { since?: Date; until?: Date; signal: AbortSignal }): AsyncIterable<EngineEvent>;
  diskUsage(): Promise<DiskUsage>;
  /** All processes of the machine by owner, from one bounded pass over /proc. */
  processes(): Promise<MachineProcesses>;
  /** Proxy settings without passwords. */
  proxies(): ProxySettings;
  /** Changes the proxy settings. Throws invalid. */
  setProxies(settings: ProxySettings): void;
  /** What the machine lets the engine do, with reasons for what is missing. */
  abilities(): MachineAbilities;
}

export interface SystemFacts {
  id: string;
  name: string;
  rootDirectory: string;
  kernelVersion: string;
  operatingSystem: string;
  architecture: string;
  cpus: number;
  memoryBytes: number;
  cgroupVersion: 1 | 2;
  controllers: readonly string[];
  /** Whether cgroups for containers are available. */
  limits: boolean;
  /** Whether the engine runs as root of the machine or as an ordinary user. */
  root: boolean;
  containers: { total: number; running: number; paused: number; stopped: number };
  images: number;
  registryMirrors: string[];
  insecureRegistries: string[];
  /** Whether containers have a user namespace by default. */
  remapsByDefault: boolean;
  warnings: string[];
}

export interface EngineEvent {
  type: 'container' | 'image' | 'volume' | 'network' | 'daemon';
  /** Docker's names of actions: `create`, `start`, `die`, `exec_start: sh`, `health_status: healthy` and so on. */
  action: string;
  /** ID of a container or network, name or ID of an image, name of a volume. */
  id: string;
  attributes: Record<string, string>;
  time: Date;
  nanos: number;
}

export interface DiskUsage {
  layersBytes: number;
  images: { id: string; uniqueBytes: number; sharedBytes: number }[];
  containers: { id: string; rwBytes: number; rootFsBytes: number }[];
  volumes: { name: string; bytes: number }[];
}
