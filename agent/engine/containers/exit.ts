/** Handles the end of a container's process, both while the agent watches and after it was away. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { ExitRecord, RunningProcess } from '../../runtime/runtime.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent, emitVolumeMountEvents } from '../emit-events.ts';
import {
  endpointSettings,
  exposedOnly,
  idleEndpoint,
  releaseEndpoints,
} from '../networks/network-endpoints.ts';
import { containerPaths } from '../paths.ts';
import { removeRunDirectory } from '../run-directory.ts';
import { type ContainerRecord, resultOf } from '../state/container-record.ts';
import { cleanupKey } from './cleanup-key.ts';
import { removeRecord } from './remove.ts';
import { shouldRestart } from './restart-policy.ts';
import type { RunningContainer } from './running-containers.ts';

/**
 * This error is made once because creating one captures a stack trace, which costs time in every
 * exit.
 */
const hasEnded = new Error('the container has ended');

/** Handles the exit when it comes, under the container's lock. */
export function watchExit(context: EngineContext, id: string, live: RunningContainer): void {
  live.process.exited
    .then((exit) => context.locks.run(id, () => handleExit(context, id, live, exit)))
    .catch(async (error) => {
      reporter(context, `take note of the exit of ${id}`)(error);
      await live.process.releaseRoot();
    })
    // Whatever failed above, nobody may wait without end for a process that is gone.
    .finally(() => {
      context.live.remove(id);
      live.markReleased();
    });
}

async function handleExit(
  context: EngineContext,
  id: string,
  live: RunningContainer,
  exit: ExitRecord,
): Promise<void> {
  live.watchers.abort(hasEnded);
  live.input?.close();
  const oomKills = live.cgroup.oomKills();
  await context.pressure.end(id, oomKills);
  // The state is written before the exit record is removed, so that an agent killed in between
  // still knows how the container ended.
  const record = recordExit(context, id, exit, {
    oomKilled: oomKills > 0,
    restarting: live.restarting,
  });
  await release(context, record, live.cgroup, live.process);
  context.live.remove(id);
  live.markReleased();
  context.exitWaiters.wake(id, 'exit', resultOf(record));
  if (!live.restarting) await afterwards(context, id, record);
}

/** Records how the container ended and emits the `die` event, and `oom` if it was OOM killed. */
export function recordExit(
  context: Pick<EngineContext, 'containers' | 'events'>,
  id: string,
  exit: ExitRecord,
  facts: { oomKilled: boolean; restarting: boolean },
): ContainerRecord {
  const before = context.containers.require(id);
  const { state, settings, manuallyStopped } = before;
  const restart =
    !facts.restarting &&
    shouldRestart(settings.restart, {
      exitCode: exit.exitCode,
      manuallyStopped,
      restartCount: state.restartCount,
    });
  const record = context.containers.noteLive(id, {
    state: {
      ...state,
      status: restart ? 'restarting' : 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      finishedAt: exit.finishedAt,
      oomKilled: facts.oomKilled,
      error: '',
    },
  });
  if (facts.oomKilled) emitContainerEvent(context.events, record, 'oom');
  emitContainerEvent(context.events, record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.floor(ranForMs(record) / 1000)),
  });
  return record;
}

/**
 * Releases networks, ports, the root mount, the run directory and the cgroup. A step that fails is
 * reported and does not stop the others.
 */
export async function release(
  context: EngineContext,
  record: ContainerRecord,
  cgroup: Cgroup,
  process?: RunningProcess,
): Promise<void> {
  const { id, name, settings } = record;
  await releaseEndpoints(context, record);
  if (record.networks.some(({ endpointId }) => endpointId !== '') || record.ports.length > 0)
    context.containers.noteLive(id, {
      networks: endpointSettings(record).map((endpoint) =>
        idleEndpoint(context.networks, endpoint),
      ),
      ports: exposedOnly({ settings }, []),
      networkSandboxId: '',
    });
  // Without a pid namespace of its own the container's other processes outlive its first one.
  if (settings.namespaces.pid !== 'private') cgroup.kill();
  context.idleQueue.add(cleanupKey(id), `release what ${name} left`, async () => {
    await process?.releaseRoot();
    await process?.settled;
    // The run directory stays when the exit could not be written to the database, so that the next
    // agent finds it there.
    if (context.containers.isWritten(id))
      removeRunDirectory(containerPaths(context.paths, id).run, context.report);
    await cgroup.remove();
  });
  emitVolumeMountEvents(context.events, record, 'unmount');
}

async function afterwards(
  context: EngineContext,
  id: string,
  record: ContainerRecord,
): Promise<void> {
  if (record.state.status === 'restarting') context.restarts.schedule(id, ranForMs(record));
  else if (record.settings.autoRemove) await removeRecord(context, id, { volumes: true });
}

function ranForMs({ state }: ContainerRecord): number {
  return (state.finishedAt?.getTime() ?? 0) - (state.startedAt?.getTime() ?? 0);
}
