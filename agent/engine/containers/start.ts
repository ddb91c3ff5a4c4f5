import { CortenError, conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { awaitHostFolders, missingHostFolder } from '../volumes/bind-sources.ts';
import { launchContainer } from './launch.ts';
import { removeRecord } from './remove.ts';

/** `docker start`. Throws not-modified when the container runs already. */
export async function startContainer(context: EngineContext, reference: string): Promise<void> {
  const { id, mounts } = context.containers.find(reference);
  await awaitHostFolders(context.hostFolders, mounts);
  await context.locks.run(id, async () => {
    const { name, state } = context.containers.require(id);
    if (state.status === 'paused')
      throw conflict('cannot start a paused container, try unpause instead');
    if (state.status === 'running') throw new CortenError('not-modified', `${name} runs already`);
    if (state.status === 'removing' || state.status === 'dead')
      throw conflict('container is marked for removal and cannot be started');
    context.restarts.forget(id);
    await launchOnRequest(context, id);
  });
}

/** Starts a container because a client asked for it. The caller holds its lock. */
export async function launchOnRequest(context: EngineContext, id: string): Promise<void> {
  const { settings } = context.containers.require(id);
  try {
    await launchContainer(context, id, 0);
  } catch (error) {
    // A container that never runs has no exit that would auto-remove it.
    if (settings.autoRemove) await removeRecord(context, id, { volumes: true });
    throw error;
  }
}

/** Starts a container because its restart policy says so. */
export async function restartByPolicy(context: EngineContext, id: string): Promise<void> {
  await context.locks.run(id, async () => {
    const record = context.containers.get(id);
    // A user stopped, started or removed the container while it waited.
    if (record === undefined || record.state.status !== 'restarting') return;
    // After a boot the host shares its folders a moment later, so this is not a failed try.
    if (missingHostFolder(context.hostFolders, record.mounts) !== undefined)
      return context.restarts.postpone(id);
    try {
      await launchContainer(context, id, record.state.restartCount + 1);
    } catch (error) {
      context.report(`start ${record.name} again`, error);
      retryOrGiveUp(context, id);
    }
  });
}

/** A failed start counts as a failed exit: the policy decides again, with a longer delay. */
function retryOrGiveUp(context: EngineContext, id: string): void {
  const { state, settings } = context.containers.require(id);
  const restartCount = state.restartCount + 1;
  const { name, maximumRetryCount } = settings.restart;
  const exhausted =
    name === 'on-failure' && maximumRetryCount > 0 && restartCount >= maximumRetryCount;
  context.containers.setLive(id, {
    state: { ...state, restartCount, status: exhausted ? 'exited' : 'restarting' },
  });
  if (!exhausted) context.restarts.schedule(id, 0);
}
