/**
 * Starts a container from its record. A failed start is undone and its reason is stored in the
 * record.
 */
import { closeSync, rmSync } from 'node:fs';
import type { Cgroup, CgroupPlacement } from '../../cgroup/cgroup.ts';
import { closePlacement } from '../../cgroup/placement.ts';
import type { EndpointView, PublishedPort } from '../../contract/container.ts';
import { CortenError } from '../../errors.ts';
import type { PreparedSandbox, RunningProcess } from '../../runtime/runtime.ts';
import { StartError } from '../../runtime/start-error.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent, emitVolumeMountEvents } from '../emit-events.ts';
import { connectAll, exposedOnly, publishPorts } from '../networks/network-endpoints.ts';
import { writeHosts, writeNetworkFiles } from '../networks/network-files.ts';
import { containerPaths } from '../paths.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { watchContainer } from '../streams/watch-container.ts';
import { Undo } from '../undo.ts';
import { requireHostFolders } from '../volumes/bind-sources.ts';
import { cleanupKey } from './cleanup-key.ts';
import { explainFullDisk } from './full-disk.ts';
import { joinedInits, launchRequest, planSpec, prepareRequest } from './launch-plan.ts';
import { type OpenLayer, openLayer } from './layer.ts';

/**
 * Docker's exit code for a container that could not be started for another reason than its command.
 */
const couldNotStart = 128;
const SIGKILL = 9;

/**
 * Starts a container that does not run. The caller holds its lock. Throws StartError when the
 * command cannot be executed.
 */
export async function launchContainer(
  context: EngineContext,
  id: string,
  restartCount: number,
): Promise<void> {
  const record = context.containers.require(id);
  const undo = new Undo();
  try {
    await launch(context, record, restartCount, undo);
  } catch (failure) {
    // The disk is examined before the undo, which may free the space again.
    const error = explainFullDisk(failure, `${record.name} cannot start`, context.paths);
    await undo.run(reporter(context, `undo the start of ${record.name}`));
    recordFailure(context, record, error);
    context.live.giveUp(id);
    throw error;
  }
}

async function launch(
  context: EngineContext,
  record: ContainerRecord,
  restartCount: number,
  undo: Undo,
): Promise<void> {
  const { id } = record;
  requireHostFolders(context.hostFolders, record.mounts);
  await context.idleQueue.flush(cleanupKey(id));
  const layer = openLayer(context, record);
  undo.push(() => layer.close());
  const { spec, joined, cgroup, placement, sandbox } = await prepare(context, record, layer, undo);
  try {
    // Signal 0 proves that the joined containers still run. Otherwise their pids could have been
    // reused, even by a host process.
    for (const init of joined) init.signal(0);
    const wired = await wire(context, record, sandbox, undo);
    const request = launchRequest(context, record, spec, placement);
    const process = await context.runtime.launch(sandbox, request);
    await began(context, record, { process, cgroup, restartCount, ...wired });
    letGo(layer, process);
  } finally {
    closePlacement(placement);
    await sandbox.close();
  }
}

/**
 * Closes the layer. When it lies on a mount of its own, that mount stays until the exit, so that
 * the agent unmounts it and not the container's last process, whose exit somebody waits for.
 */
function letGo(layer: OpenLayer, process: RunningProcess): void {
  if (layer.mount === undefined) layer.close();
  else
    process.exited.then(
      () => layer.close(),
      () => layer.close(),
    );
}

async function prepare(
  context: EngineContext,
  record: ContainerRecord,
  layer: OpenLayer,
  undo: Undo,
) {
  const { spec, deviceRules } = planSpec(context, { ...record, rootfs: layer.rootfs });
  const joined = joinedInits(context, record);
  // The cgroup's paths are known before the cgroup is made.
  let cgroup = context.cgroups.open(record.id);
  let placement: CgroupPlacement = { procsFds: [] };
  const request = prepareRequest(context, record, spec, cgroup, layer);
  const makeSources = () => writeNetworkFiles(context, record);
  const makeGroups = () => {
    cgroup = context.cgroups.create(record.id, record.settings.limits, deviceRules);
    undo.push(() => cgroup.remove());
  };
  const meanwhile = () => {
    placement = cgroup.placement();
    undo.push(() =>
      rmSync(containerPaths(context.paths, record.id).run, { recursive: true, force: true }),
    );
    return launchRequest(context, record, spec, placement);
  };
  try {
    const sandbox = await context.runtime.prepare({
      ...request,
      ...{ makeSources, makeGroups, meanwhile },
    });
    return { spec, joined, cgroup, placement, sandbox };
  } catch (error) {
    closePlacement(placement);
    throw error;
  }
}

/**
 * Connects networks and publishes ports. Both are stored in the record before anything could fail
 * and need them back.
 */
async function wire(
  context: EngineContext,
  record: ContainerRecord,
  { networkFd, netlinkFd }: PreparedSandbox,
  undo: Undo,
): Promise<{ networks: EndpointView[]; ports: PublishedPort[] }> {
  let wired = { networks: record.networks, ports: exposedOnly(record, []) };
  if (
    networkFd !== undefined &&
    netlinkFd !== undefined &&
    typeof record.settings.network.mode === 'object'
  ) {
    const sandbox = { containerId: record.id, networkFd, netlinkFd };
    const networks = await connectAll(context, record, sandbox, undo);
    undo.push(() => context.network.unpublish(record.id));
    wired = { networks, ports: await publishPorts(context, record, networks) };
    writeHosts(context, record, networks);
    // When the agent is killed before the start, the next one finds in the record what to release.
    context.containers.setLive(record.id, wired);
    undo.push(() => context.containers.noteLive(record.id, record));
  }
  return wired;
}

interface Beginning {
  process: RunningProcess;
  cgroup: Cgroup;
  restartCount: number;
  networks: EndpointView[];
  ports: PublishedPort[];
}

async function began(
  context: EngineContext,
  { id, settings }: ContainerRecord,
  { process, cgroup, restartCount, networks, ports }: Beginning,
): Promise<void> {
  const record = await recordOrEnd(context, id, process, cgroup, {
    manuallyStopped: false,
    networks,
    ports,
    networkSandboxId: networks.length > 0 ? id : '',
    state: {
      status: 'running',
      pid: process.pid,
      exitCode: 0,
      oomKilled: false,
      error: '',
      startedAt: process.startedAt,
      restartCount,
      ...(settings.health && { health: { status: 'starting', failingStreak: 0, log: [] } }),
    },
  });
  emitVolumeMountEvents(context.events, record, 'mount');
  emitContainerEvent(context.events, record, 'start');
  watchContainer(context, record, process, cgroup);
}

/**
 * Ends the process when its start cannot be recorded, because the next agent would not know of it.
 */
async function recordOrEnd(
  { containers }: Pick<EngineContext, 'containers'>,
  id: string,
  process: RunningProcess,
  cgroup: Cgroup,
  beginning: Parameters<typeof containers.setLive>[1],
): Promise<ContainerRecord> {
  try {
    return containers.setLive(id, beginning);
  } catch (error) {
    await endUnrecorded(process, cgroup);
    throw error;
  }
}

async function endUnrecorded(process: RunningProcess, cgroup: Cgroup): Promise<void> {
  for (const fd of Object.values(process.stdio)) closeSync(fd);
  try {
    process.signal(SIGKILL);
  } catch (error) {
    // The process has ended by itself.
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
  await process.exited;
  await process.settled;
  await process.releaseRoot();
  // In the host's pid namespace the container's other processes outlive its first one.
  cgroup.kill();
}

/** Keeps the state and adds the exit code and the reason, as `docker inspect` shows them. */
function recordFailure(context: EngineContext, record: ContainerRecord, error: unknown): void {
  context.containers.noteLive(record.id, {
    state: {
      ...record.state,
      exitCode: error instanceof StartError ? error.exitCode : couldNotStart,
      error: error instanceof Error ? error.message : String(error),
    },
  });
}
