/**
 * The engine: containers, images, volumes and networks over the parts that reach the kernel. This
 * file puts its pieces together; what they do is in a file for each verb.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import type { ContainersBackend } from '../api/containers/backend.ts';
import type { PressureBackend } from '../api/corten/backend.ts';
import type { ExecBackend } from '../api/exec/backend.ts';
import type { ImagesBackend } from '../api/images/backend.ts';
import type { NetworksBackend } from '../api/networks/backend.ts';
import type { SystemBackend } from '../api/system/backend.ts';
import type { VolumesBackend } from '../api/volumes/backend.ts';
import type { StepRunner } from '../builder/steps/step-runner.ts';
import type { Disks } from '../disk/disk.ts';
import type { SchedulerTick } from '../runtime/scheduler-tick.ts';
import { createStepRunner } from './build-steps/step-runner.ts';
import { createContainersBackend } from './containers/containers.ts';
import { newContainerDirectoryPool, newLayerDirectoryPool } from './containers/directory-pool.ts';
import { ExitWaiters } from './containers/exit-waiters.ts';
import { prepareDefaultLayer } from './containers/layer.ts';
import { recover } from './containers/recover.ts';
import { RestartSchedule } from './containers/restart-schedule.ts';
import { RunningContainers } from './containers/running-containers.ts';
import { restartByPolicy } from './containers/start.ts';
import { stopAll } from './containers/stop-all.ts';
import type { EngineContext } from './context.ts';
import { applyCpuPriority } from './cpu-priority/apply-cpu-priority.ts';
import { engineId } from './engine-id.ts';
import { EventLog } from './event-log.ts';
import { createExecBackend } from './exec/exec.ts';
import { ExecPrestarter } from './exec/exec-prestart.ts';
import { ExecTable } from './exec/exec-table.ts';
import type { ContainerFiles } from './files/container-files.ts';
import { IdleQueue } from './idle-queue.ts';
import { isId } from './ids.ts';
import { createImagesBackend } from './images/images.ts';
import { LogReaders } from './logs/log-readers.ts';
import { Sampler } from './metrics/sampler.ts';
import { createNetworksBackend, ensurePredefined } from './networks/networks.ts';
import type { RecordSource } from './oom/oom-events.ts';
import {
  containersDirectory,
  databasePath,
  layersDirectory,
  removedDirectory,
  removedLayersDirectory,
  runsDirectory,
  volumesDirectory,
} from './paths.ts';
import { fullDiskOf } from './pressure/full-disk.ts';
import { createPressureBackend, emitLimitEvent } from './pressure/pressure.ts';
import { SerialLocks } from './serial-locks.ts';
import { ContainerTable } from './state/container-table.ts';
import { openDatabase } from './state/database.ts';
import { NetworkTable } from './state/network-table.ts';
import { closeKeepingPages, ReservedPages } from './state/reserved-pages.ts';
import { VolumeTable } from './state/volume-table.ts';
import { createSystemBackend } from './system.ts';
import { type HostFolders, noHostFolders } from './volumes/bind-sources.ts';
import { attachVolumes, detachVolumes } from './volumes/volume-space.ts';
import { createVolumesBackend } from './volumes/volumes.ts';

export interface Engine {
  containers: ContainersBackend;
  exec: ExecBackend;
  images: ImagesBackend;
  volumes: VolumesBackend;
  networks: NetworksBackend;
  system: SystemBackend;
  pressure: PressureBackend;
  /** Runs the processes of a build's steps. */
  stepRunner: StepRunner;
  /** Whether a running container has this IP address. */
  isContainerAddress(address: string): boolean;
  /** Ends every container, because the machine goes down; policies start them with it again. */
  stopAll(): Promise<void>;
  /** Puts the state down. Containers run on. */
  close(): Promise<void>;
}

export interface EngineOptions
  extends Pick<
    EngineContext,
    | 'paths'
    | 'runtime'
    | 'cgroups'
    | 'images'
    | 'network'
    | 'kernelViews'
    | 'apiSocket'
    | 'userNamespaces'
    | 'report'
    | 'defaultDisk'
    | 'proxies'
    | 'abilityFacts'
  > {
  /** Chooses what limits disk space, once the directories are there. */
  openDisks: (places: DiskPlaces) => Promise<Disks>;
  files: ContainerFiles;
  kernelLog: RecordSource;
  /** Absent where containers have the kernel's time slice. */
  schedulerTick?: Pick<SchedulerTick, 'update'> | undefined;
  /** Absent: sources of binds are the machine's own. */
  hostFolders?: HostFolders;
  registryMirrors: string[];
  insecureRegistries: string[];
}

export interface DiskPlaces {
  /** Directories whose children may hold spaces. */
  parents: string[];
  /** Where the layers without one lie. */
  layers: string;
  /** Whether some lie there now. */
  hasLayers: boolean;
}

/** Opens the state and takes up what an agent before us left, before anybody can ask for more. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { paths, runtime, cgroups, images, network, kernelViews, apiSocket, report } = options;
  const { userNamespaces, defaultDisk, proxies } = options;
  for (const directory of [
    paths.root,
    containersDirectory(paths),
    layersDirectory(paths),
    removedDirectory(paths),
    volumesDirectory(paths),
    paths.run,
    runsDirectory(paths),
  ])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  const layers = layersDirectory(paths);
  const disks = await options.openDisks({
    parents: [containersDirectory(paths), volumesDirectory(paths)],
    layers,
    hasLayers: readdirSync(layers).some(isId),
  });
  // There a file system may have come to be since.
  mkdirSync(removedLayersDirectory(paths), { recursive: true, mode: 0o700 });
  const database = openDatabase(databasePath(paths));
  const reserve = new ReservedPages(database, databasePath(paths));
  const restarts = new RestartSchedule((id) => {
    restartByPolicy(context, id).catch((error) => report(`start ${id} again`, error));
  });
  const idleQueue = new IdleQueue({ report });
  const context: EngineContext = {
    paths,
    runtime,
    cgroups,
    images,
    network,
    kernelViews,
    apiSocket,
    disks,
    defaultDisk,
    report,
    containers: new ContainerTable(database, { reserve, report }),
    volumes: new VolumeTable(database, reserve),
    networks: new NetworkTable(database, reserve),
    events: new EventLog(),
    exitWaiters: new ExitWaiters(),
    locks: new SerialLocks(),
    live: new RunningContainers(),
    pressure: new Sampler({
      kernelLog: options.kernelLog,
      cgroupVersion: cgroups.version,
      fullDisk: (id) => fullDiskOf(context, id),
      onEvent: (id, event) => emitLimitEvent(context, id, event),
      applyCpuPriority: (id, change) => applyCpuPriority(context, id, change),
      onContention: (isContended) => options.schedulerTick?.update(isContended),
      report,
    }),
    logReaders: new LogReaders(),
    restarts,
    hostFolders: options.hostFolders ?? noHostFolders,
    idleQueue,
    containerDirectoryPool: newContainerDirectoryPool(paths, idleQueue),
    layerDirectoryPool: newLayerDirectoryPool(paths, idleQueue),
    userNamespaces,
    proxies,
    abilityFacts: options.abilityFacts,
  };
  ensurePredefined(context);
  await prepareDefaultLayer(context);
  attachVolumes(context);
  await recover(context);
  const prestarter = new ExecPrestarter(context);
  const execs = new ExecTable((id) => context.live.get(id) !== undefined);
  return {
    containers: createContainersBackend(context, options.files),
    exec: createExecBackend({ ...context, execs, prestarter }),
    images: createImagesBackend(context, options.files),
    volumes: createVolumesBackend(context),
    networks: createNetworksBackend(context),
    system: createSystemBackend(context, {
      engineId: engineId(database),
      registryMirrors: options.registryMirrors,
      insecureRegistries: options.insecureRegistries,
    }),
    pressure: createPressureBackend(context),
    stepRunner: createStepRunner(context),
    isContainerAddress: (address) =>
      context.containers
        .all()
        .some(
          ({ id, networks }) =>
            context.live.get(id) !== undefined &&
            networks.some(({ ipv4Address }) => ipv4Address === address),
        ),
    stopAll: () => stopAll(context),
    close: async () => {
      restarts.close();
      prestarter.close();
      await context.idleQueue.close();
      context.pressure.close();
      detachVolumes(context);
      for (const driver of new Set(Object.values(context.disks))) driver.close();
      closeKeepingPages(database, databasePath(paths));
    },
  };
}
