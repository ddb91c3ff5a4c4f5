import type { MachineAbilities } from '../../contract/abilities.ts';
import type { MachineProcesses } from '../../contract/processes.ts';
import type { ProxySettings } from '../../contract/proxies.ts';

/** What the system routes (info, version, events, disk use) need from the engine. */
export interface SystemBackend {
  info(): Promise<SystemFacts>;
  /** Past events from `since`, then (without `until` in the past) live ones until aborted. */
  events(options: { since?: Date; until?: Date; signal: AbortSignal }): AsyncIterable<EngineEvent>;
  diskUsage(): Promise<DiskUsage>;
  /** Every process of the machine, by who it belongs to; one pass, bounded. */
  processes(): Promise<MachineProcesses>;
  /** Without passwords. */
  proxies(): ProxySettings;
  /** Throws invalid. */
  setProxies(settings: ProxySettings): void;
  /** What the machine lets the engine do, and why not. */
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
  /** False: there are no control groups for containers. */
  limits: boolean;
  /** Of the machine; else an ordinary user's. */
  root: boolean;
  containers: { total: number; running: number; paused: number; stopped: number };
  images: number;
  registryMirrors: string[];
  insecureRegistries: string[];
  /** Containers that say nothing have a user namespace. */
  remapsByDefault: boolean;
  warnings: string[];
}

export interface EngineEvent {
  type: 'container' | 'image' | 'volume' | 'network' | 'daemon';
  /** Docker's action names: `create`, `start`, `die`, `exec_start: sh`, `health_status: healthy`, … */
  action: string;
  /** Container, network: id. Image: name or id. Volume: name. */
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
