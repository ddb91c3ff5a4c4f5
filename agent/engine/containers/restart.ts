import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { awaitHostFolders } from '../volumes/bind-sources.ts';
import { endProcess } from './end-process.ts';
import { launchOnRequest } from './start.ts';
import { type StopOptions, stopParameters } from './stop.ts';

/**
 * `docker restart`: stops the container if it runs and starts it. Auto-remove does not apply in
 * between.
 */
export async function restartContainer(
  context: EngineContext,
  reference: string,
  options: StopOptions,
): Promise<void> {
  const { id, mounts } = context.containers.find(reference);
  await awaitHostFolders(context.hostFolders, mounts);
  const wish = await context.locks.run(id, () => {
    // An invalid signal throws here, before anything has changed.
    const asked = stopParameters(context.containers.require(id), options);
    context.restarts.forget(id);
    const live = context.live.get(id);
    if (live !== undefined) live.restarting = true;
    return asked;
  });
  if (context.live.get(id) !== undefined) {
    await endProcess(context, id, wish);
    emitContainerEvent(context.events, context.containers.require(id), 'stop');
  }
  await context.locks.run(id, async () => {
    // Another request may have started the container already, which satisfies this one too.
    if (context.live.get(id) === undefined) await launchOnRequest(context, id);
    emitContainerEvent(context.events, context.containers.require(id), 'restart');
  });
}
