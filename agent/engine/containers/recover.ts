/**
 * Recovery at the agent's start: running containers are re-adopted, containers that ended meanwhile
 * get the exit that their shim recorded, and restart policies are applied.
 */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { Limits } from '../../contract/limits.ts';
import type { ExitRecord, RunningProcess } from '../../runtime/runtime.ts';
import { type EngineContext, reporter } from '../context.ts';
import { restoreCpuLimits } from '../cpu-priority/apply-cpu-priority.ts';
import { containerPaths } from '../paths.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { watchContainer } from '../streams/watch-container.ts';
import { sweep } from '../sweep.ts';
import { recordExit, release } from './exit.ts';
import { logPlan } from './launch-plan.ts';
import { removeRecord } from './remove.ts';
import { shouldStartWithAgent } from './restart-policy.ts';
import { restartByPolicy } from './start.ts';

/** Docker's exit code when nobody saw the end, as after a crash of the machine. */
const unknownEnding = 255;

/** A container with what its run directory says: a process, an exit record or nothing. */
type Finding = { record: ContainerRecord; found: RunningProcess | ExitRecord | undefined };

export async function recover(context: EngineContext): Promise<void> {
  const findings = await Promise.all(
    context.containers.all().map((record) => look(context, record)),
  );
  for (const { record, found } of findings) {
    if (isRunning(found)) readopt(context, record, found);
  }
  await reconcileNetworks(context);
  await restoreLimits(context);
  for (const { record, found } of findings) {
    if (isRunning(found)) continue;
    if (found !== undefined || wasAlive(record)) await noteEnding(context, record, found);
  }
  await sweep(context);
  for (const { record } of findings) await applyPolicy(context, record.id);
}

async function look(context: EngineContext, record: ContainerRecord): Promise<Finding> {
  const { run } = containerPaths(context.paths, record.id);
  return { record, found: await context.runtime.readopt(run) };
}

const isRunning = (found: Finding['found']): found is RunningProcess =>
  found !== undefined && 'exited' in found;

const wasAlive = ({ state }: ContainerRecord) =>
  state.status === 'running' || state.status === 'paused';

function readopt(context: EngineContext, record: ContainerRecord, process: RunningProcess): void {
  // The agent may have been killed after the start and before it was recorded.
  const status = record.state.status === 'paused' ? 'paused' : 'running';
  const current = context.containers.setLive(record.id, {
    state: { ...record.state, status, pid: process.pid, startedAt: process.startedAt },
  });
  watchContainer(context, current, process, context.cgroups.open(record.id));
}

async function reconcileNetworks(context: EngineContext): Promise<void> {
  await context.network.reconcile({
    networks: context.networks.definitions(),
    running: context.containers
      .all()
      .filter(({ id }) => context.live.get(id) !== undefined)
      .map(({ id, name, networks, ports }) => ({
        containerId: id,
        containerName: name,
        endpoints: networks.filter(({ endpointId }) => endpointId !== ''),
        ports,
      })),
  });
}

/**
 * Writes the recorded limits to the kernel again, because an earlier agent may have been killed
 * between the kernel's change and its record.
 */
async function restoreLimits(context: EngineContext): Promise<void> {
  for (const record of context.containers.all()) {
    const live = context.live.get(record.id);
    if (live === undefined) continue;
    try {
      for (const endpoint of record.networks)
        if (endpoint.endpointId !== '')
          await context.network.limitRates(endpoint, record.settings.limits.network ?? {});
      restoreGroup(context, live.cgroup, record.settings.limits);
      live.process.limitLog(logPlan(record.settings, record.logDirectory));
    } catch (error) {
      context.report(`restore the limits of ${record.name}`, error);
    }
  }
}

function restoreGroup(
  context: Pick<EngineContext, 'runtime'>,
  cgroup: Cgroup,
  limits: Limits,
): void {
  // The high mark comes first: lowering a v2 memory limit sets it temporarily (cgroup/memory.ts),
  // and an agent killed meanwhile leaves the container throttled.
  cgroup.update({ memory: { highBytes: limits.memory?.highBytes ?? null } });
  restoreCpuLimits(context, cgroup, limits.cpu);
  cgroup.update(limits);
}

async function noteEnding(
  context: EngineContext,
  record: ContainerRecord,
  found: ExitRecord | undefined,
): Promise<void> {
  const cgroup = context.cgroups.open(record.id);
  // The exit was recorded before the agent was killed during the release.
  const known = found !== undefined && !wasAlive(record) && record.state.finishedAt !== undefined;
  const ended = known
    ? record
    : recordExit(
        context,
        record.id,
        found ?? { exitCode: unknownEnding, signal: undefined, finishedAt: new Date() },
        { oomKilled: cgroup.oomKills() > 0, restarting: false },
      );
  await release(context, ended, cgroup);
}

async function applyPolicy(context: EngineContext, id: string): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined || context.live.get(id) !== undefined) return;
  const { state, settings, manuallyStopped } = record;
  if (state.status === 'created') return;
  if (settings.autoRemove)
    return context.locks.run(id, () => removeRecord(context, id, { volumes: true }));
  const { exitCode, restartCount } = state;
  if (
    state.status !== 'restarting' &&
    !shouldStartWithAgent(settings.restart, { exitCode, manuallyStopped, restartCount })
  )
    return;
  context.containers.setLive(id, { state: { ...state, status: 'restarting' } });
  await restartByPolicy(context, id).catch(reporter(context, `start ${record.name} again`));
}
