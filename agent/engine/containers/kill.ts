import { conflict } from '../../errors.ts';
import { parseSignal } from '../../kernel/signals.ts';
import type { EngineContext } from '../context.ts';
import { sendSignal } from './send-signal.ts';

const SIGKILL = 9;

/** `docker kill`: sends one signal, SIGKILL by default, and does not wait for the exit. */
export async function killContainer(
  context: EngineContext,
  reference: string,
  signalName: string | undefined,
): Promise<void> {
  const { id } = context.containers.find(reference);
  const signal = signalName ? parseSignal(signalName) : SIGKILL;
  const live = await context.locks.run(id, () => {
    const record = context.containers.require(id);
    const current = context.live.get(id);
    if (record.state.status === 'restarting') {
      context.restarts.forget(id);
      context.containers.setLive(id, {
        manuallyStopped: true,
        state: { ...record.state, status: 'exited' },
      });
      return undefined;
    }
    if (current === undefined)
      throw conflict(`Cannot kill container: ${reference}: Container ${id} is not running`);
    // Docker's rule: when a container has no stop signal of its own, any signal counts as a request
    // to stop it.
    const { stopSignal } = record.settings;
    const ends = signal === SIGKILL || !stopSignal || parseSignal(stopSignal) === signal;
    if (ends) context.containers.setLive(id, { manuallyStopped: true });
    sendSignal(context, id, current, signal, { ends });
    return signal === SIGKILL ? current : undefined;
  });
  // dockerd answers a SIGKILL only once the container is gone, and scripts remove it right after
  // that.
  if (live !== undefined) await live.released;
}
