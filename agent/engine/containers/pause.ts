import { conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';

export async function pauseContainer(context: EngineContext, reference: string): Promise<void> {
  const { id } = context.containers.find(reference);
  await context.locks.run(id, () => {
    const { state } = context.containers.require(id);
    const live = context.live.get(id);
    if (state.status === 'paused') throw conflict(`Container ${id} is already paused`);
    if (state.status === 'restarting')
      throw conflict(`Container ${id} is restarting, wait until the container is running`);
    if (live === undefined) throw conflict(`Container ${id} is not running`);
    live.cgroup.freeze();
    const paused = context.containers.setLive(id, { state: { ...state, status: 'paused' } });
    emitContainerEvent(context.events, paused, 'pause');
  });
}

export async function unpauseContainer(context: EngineContext, reference: string): Promise<void> {
  const { id } = context.containers.find(reference);
  await context.locks.run(id, () => {
    const { state } = context.containers.require(id);
    const live = context.live.get(id);
    if (state.status !== 'paused' || live === undefined)
      throw conflict(`Container ${id} is not paused`);
    live.cgroup.thaw();
    const running = context.containers.setLive(id, { state: { ...state, status: 'running' } });
    emitContainerEvent(context.events, running, 'unpause');
  });
}
