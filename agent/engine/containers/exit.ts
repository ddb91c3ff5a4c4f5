/** What happens when a container's process has ended, while we watch or before we did. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { ExitRecord, RunningProcess } from '../../runtime/runtime.ts';
import { announceContainer, announceVolumeMounts } from '../announce.ts';
import { type EngineContext, reporter } from '../context.ts';
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

/** Made once: an error notes where it was made, which takes time that somebody waits for. */
const hasEnded = new Error('the container has ended');

/** Takes care of the exit when it comes, in its turn among the container's other operations. */
export function watchExit(context: EngineContext, id: string, live: RunningContainer): void {
  live.process.exited
    .then((exit) => context.locks.run(id, () => handleExit(context, id, live, exit)))
    .catch(async (error) => {
      reporter(context, `take note of the exit of ${id}`)(error);
      await live.process.releaseRoot();
    })
    // Whatever failed above: nobody may wait for ever for a process that is gone.
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
  // The state goes to disk first, and the exit record only after it: whichever the agent is killed
  // between, the next one knows how the container ended.
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

/** Writes down how it ended, and says so. */
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
  if (facts.oomKilled) announceContainer(context.events, record, 'oom');
  announceContainer(context.events, record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.floor(ranForMs(record) / 1000)),
  });
  return record;
}

/** Gives back what the machine lent it. Each step stands alone: one that fails is reported. */
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
  // With a pid namespace of its own everything inside died with its init; otherwise we end it here.
  if (settings.namespaces.pid !== 'private') cgroup.kill();
  context.idleQueue.add(cleanupKey(id), `release what ${name} left`, async () => {
    await process?.releaseRoot();
    await process?.settled;
    // The next agent finds the ending there when it was not written down.
    if (context.containers.isWritten(id))
      removeRunDirectory(containerPaths(context.paths, id).run, context.report);
    await cgroup.remove();
  });
  announceVolumeMounts(context.events, record, 'unmount');
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
