/** From a record to a running process; or back to where we were, with the reason in the record. */
import { closeSync, rmSync } from 'node:fs';
import type { Cgroup, CgroupPlacement } from '../../cgroup/cgroup.ts';
import { closePlacement } from '../../cgroup/placement.ts';
import type { EndpointView, PublishedPort } from '../../contract/container.ts';
import { CortenError } from '../../errors.ts';
import type { PreparedSandbox, RunningProcess } from '../../runtime/runtime.ts';
import { StartError } from '../../runtime/start-error.ts';
import { announceContainer, announceVolumeMounts } from '../announce.ts';
import { type EngineContext, reporter } from '../context.ts';
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

/** Docker's code for a container that could not be started, when the shell has none for it. */
const couldNotStart = 128;
const SIGKILL = 9;

/** Runs a container that is not running. The caller holds its lock. */
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
    // While it is full: the undoing may make room.
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
    // Had one of them ended meanwhile, its number could have been another process's, even the host's.
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
 * The container holds what it mounted. A mount that is kept until it has ended is unmounted by us, and
 * not by its last process, whose end everybody waits for.
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
  const { spec, deviceRules } =
    context.prebuiltSpec.take(record) ?? planSpec(context, { ...record, rootfs: layer.rootfs });
  const joined = joinedInits(context, record);
  // Its paths are known before it is there.
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

/** Networks and published ports; they are kept in the record before anything can need them back. */
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
    // An agent that is killed between here and the start finds in the record what to release.
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
  announceVolumeMounts(context.events, record, 'mount');
  announceContainer(context.events, record, 'start');
  watchContainer(context, record, process, cgroup);
}

/** A process that cannot be written down would run on with nobody who knows it: it ends first. */
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
    // It has ended by itself.
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
  await process.exited;
  await process.settled;
  await process.releaseRoot();
  // Where it shared the machine's processes, its own live on without it.
  cgroup.kill();
}

/** The state stays what it was; how it went wrong is added, as `docker inspect` shows it. */
function recordFailure(context: EngineContext, record: ContainerRecord, error: unknown): void {
  context.containers.noteLive(record.id, {
    state: {
      ...record.state,
      exitCode: error instanceof StartError ? error.exitCode : couldNotStart,
      error: error instanceof Error ? error.message : String(error),
    },
  });
}
