/**
 * The parts that the engine works with. Each verb is a function of the parts that it uses, as
 * `Pick<EngineContext, …>`; nothing holds all of them but the composition root.
 */
import type { CgroupDriver } from '../cgroup/cgroup.ts';
import type { Lack } from '../contract/abilities.ts';
import type { DefaultDisk } from '../contract/limits.ts';
import type { Disks } from '../disk/disk.ts';
import type { ImageStore } from '../images/store.ts';
import type { Networks } from '../network/networks.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { MachineFacts } from './abilities.ts';
import type { DirectoryPool } from './containers/directory-pool.ts';
import type { ExitWaiters } from './containers/exit-waiters.ts';
import type { IdPool } from './containers/id-range.ts';
import type { RestartSchedule } from './containers/restart-schedule.ts';
import type { RunningContainers } from './containers/running-containers.ts';
import type { EventLog } from './event-log.ts';
import type { IdleQueue } from './idle-queue.ts';
import type { KernelViews } from './kernel-views.ts';
import type { LogReaders } from './logs/log-readers.ts';
import type { Sampler } from './metrics/sampler.ts';
import type { EnginePaths } from './paths.ts';
import type { Proxies } from './proxies.ts';
import type { Report } from './report.ts';
import type { SerialLocks } from './serial-locks.ts';
import type { ContainerTable } from './state/container-table.ts';
import type { NetworkTable } from './state/network-table.ts';
import type { VolumeTable } from './state/volume-table.ts';
import type { HostFolders } from './volumes/bind-sources.ts';

export interface EngineContext {
  paths: EnginePaths;
  containers: ContainerTable;
  volumes: VolumeTable;
  networks: NetworkTable;
  images: ImageStore;
  runtime: Runtime;
  cgroups: CgroupDriver;
  network: Networks;
  kernelViews: KernelViews;
  /** The path of the API socket. Whoever can open it is root on the machine. */
  apiSocket: string;
  disks: Disks;
  defaultDisk: DefaultDisk;
  events: EventLog;
  exitWaiters: ExitWaiters;
  /** Runs one operation at a time on each container, by id. */
  locks: SerialLocks;
  live: RunningContainers;
  pressure: Sampler;
  logReaders: LogReaders;
  restarts: RestartSchedule;
  hostFolders: HostFolders;
  idleQueue: IdleQueue;
  containerDirectoryPool: DirectoryPool;
  layerDirectoryPool: DirectoryPool;
  /** Facts about the machine that the agent collected at its start. */
  abilityFacts: Omit<MachineFacts, 'cgroups' | 'disks'>;
  userNamespaces: {
    /** Whether containers that ask for neither get a user namespace. */
    byDefault: boolean;
    pool: IdPool;
    /** Why no container can have a user namespace. */
    lack?: Lack;
  };
  proxies: Proxies;
  report: Report;
}

/** Returns a function that reports an error together with `what` failed. */
export const reporter =
  ({ report }: Pick<EngineContext, 'report'>, what: string) =>
  (error: unknown) =>
    report(what, error);
