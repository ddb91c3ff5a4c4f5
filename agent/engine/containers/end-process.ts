/** Ends a container's process: the stop signal, then SIGKILL, then the cgroup's kill. */
import type { EngineContext } from '../context.ts';
import { timerMs } from '../timer.ts';
import type { RunningContainer } from './running-containers.ts';
import { sendSignal } from './send-signal.ts';

const SIGKILL = 9;
/** How long to wait after SIGKILL, in milliseconds, before the whole cgroup is killed. */
const killPatienceMs = 2000;

/** Resolves once the process has ended and everything that the container held is released. */
export async function endProcess(
  context: EngineContext,
  id: string,
  { signal, timeoutMs }: { signal: number; timeoutMs: number },
): Promise<void> {
  const live = await context.locks.run(id, () => {
    const current = context.live.get(id);
    if (current !== undefined) sendSignal(context, id, current, signal);
    return current;
  });
  if (live === undefined) return;
  if (signal !== SIGKILL) {
    if (await releasedWithin(live, timeoutMs)) return;
    sendSignal(context, id, live, SIGKILL);
  }
  if (await releasedWithin(live, killPatienceMs)) return;
  live.cgroup.kill();
  await live.released;
}

/** A negative `timeoutMs` waits without end. */
async function releasedWithin(live: RunningContainer, timeoutMs: number): Promise<boolean> {
  if (timeoutMs < 0) {
    await live.released;
    return true;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timerMs(timeoutMs));
  });
  const released = await Promise.race([live.released.then(() => true), late]);
  clearTimeout(timer);
  return released;
}
