/**
 * At the agent's start: containers that an agent before us left running are taken up again, those
 * that ended meanwhile get the ending that their shim wrote down, and restart policies are applied.
 */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { Limits } from '../../contract/limits.ts';
import type { ExitRecord, RunningProcess } from '../../runtime/runtime.ts';
import { type EngineContext, reporter } from '../context.ts';
import { containerPaths } from '../paths.ts';
import { restoreProcessors } from '../pressure/set-precedence.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { watchContainer } from '../streams/watch-container.ts';
import { sweep } from '../sweep.ts';
import { recordExit, release } from './exit.ts';
import { logPlan } from './launch-plan.ts';
import { removeRecord } from './remove.ts';
import { shouldStartWithAgent } from './restart-policy.ts';
import { restartByPolicy } from './start.ts';

/** Docker's code for a container whose end nobody saw: the machine went down under it. */
const unknownEnding = 255;

/** What was true while no agent ran. */
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
  // It may be one that was started and not yet written down when the agent was killed.
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
 * The kernel still has them. An agent that was killed between telling it and writing down is
 * corrected here: what was written down holds.
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
  // First, since it slows everything down: a memory limit of v2 is lowered by way of this mark
  // (cgroup/memory.ts), and that agent may have been killed on the way.
  cgroup.update({ memory: { highBytes: limits.memory?.highBytes ?? null } });
  restoreProcessors(context, cgroup, limits.cpu);
  cgroup.update(limits);
}

async function noteEnding(
  context: EngineContext,
  record: ContainerRecord,
  found: ExitRecord | undefined,
): Promise<void> {
  const cgroup = context.cgroups.open(record.id);
  // An exit that was written down already, before the agent was killed in the middle of the release.
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
