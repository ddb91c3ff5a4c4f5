/** The engine as a whole: its host, its state and its disk usage. */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, release, totalmem } from 'node:os';
import type { DiskUsage, SystemBackend, SystemFacts } from '../api/system/backend.ts';
import { hasErrno } from '../kernel/libc.ts';
import { describeAbilities } from './abilities.ts';
import type { EngineContext } from './context.ts';
import { containerSize } from './files/container-size.ts';
import { directoryBytes } from './files/directory-size.ts';
import { machineProcesses } from './machine-processes.ts';

export interface SystemOptions {
  /** The same as long as the state root exists. */
  engineId: string;
  registryMirrors: string[];
  insecureRegistries: string[];
}

export function createSystemBackend(context: EngineContext, options: SystemOptions): SystemBackend {
  return {
    info: async () => facts(context, options),
    events: (range) => context.events.stream(range),
    diskUsage: () => diskUsage(context),
    processes: () => machineProcesses(context),
    proxies: () => context.proxies.shown(),
    setProxies: (settings) => context.proxies.set(settings),
    abilities: () =>
      describeAbilities({ ...context.abilityFacts, ...context, disks: context.disks.volumes }),
  };
}

function facts(
  { containers, images, cgroups, paths, userNamespaces, abilityFacts }: EngineContext,
  { engineId, registryMirrors, insecureRegistries }: SystemOptions,
): SystemFacts {
  const statuses = containers.all().map(({ state }) => state.status);
  const count = (...wanted: string[]) =>
    statuses.filter((status) => wanted.includes(status)).length;
  const running = count('running', 'restarting');
  const paused = count('paused');
  return {
    id: engineId,
    name: hostname(),
    rootDirectory: paths.root,
    kernelVersion: release(),
    operatingSystem: distribution(),
    architecture: arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    cgroupVersion: cgroups.version,
    controllers: cgroups.controllers,
    limits: cgroups.lack === undefined,
    root: abilityFacts.root,
    containers: {
      total: statuses.length,
      running,
      paused,
      stopped: statuses.length - running - paused,
    },
    images: images.list().length,
    registryMirrors,
    insecureRegistries,
    remapsByDefault: userNamespaces.byDefault,
    warnings: ['cpu', 'memory', 'pids', 'io', 'cpuset']
      .filter((controller) => !cgroups.controllers.includes(controller))
      .map((controller) => `WARNING: No ${controller} limit support`),
  };
}

/** The distribution's name (os-release(5)). */
function distribution(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux';
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 'Linux';
    throw error;
  }
}

async function diskUsage(context: EngineContext): Promise<DiskUsage> {
  const { images, containers, volumes } = context;
  const layers = images.layerSizes();
  const users = new Map<string, number>();
  for (const { diffIds } of images.list())
    for (const diffId of new Set(diffIds)) users.set(diffId, (users.get(diffId) ?? 0) + 1);
  return {
    layersBytes: sum(layers.values()),
    images: images.list().map(({ id, diffIds }) => {
      const bytesWhere = (shared: boolean) =>
        sum(
          diffIds
            .filter((diffId) => (users.get(diffId) ?? 0) > 1 === shared)
            .map((diffId) => layers.get(diffId) ?? 0),
        );
      return { id, uniqueBytes: bytesWhere(false), sharedBytes: bytesWhere(true) };
    }),
    containers: await Promise.all(
      containers.all().map(async ({ id }) => ({ id, ...(await containerSize(context, id)) })),
    ),
    volumes: await Promise.all(
      volumes
        .all()
        .map(async ({ name, mountpoint }) => ({ name, bytes: await directoryBytes(mountpoint) })),
    ),
  };
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
