import { CortenError } from '../../errors.ts';
import { parseSignal } from '../../kernel/signals.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { endProcess } from './end-process.ts';

export interface StopOptions {
  signal?: string;
  /** -1 waits without end. Absent means the container's own timeout, or else 10 seconds. */
  timeoutSeconds?: number;
}

const defaultTimeoutSeconds = 10;

/** `docker stop`. Throws not-modified when the container does not run. */
export async function stopContainer(
  context: EngineContext,
  reference: string,
  options: StopOptions,
): Promise<void> {
  const { id } = context.containers.find(reference);
  const wish = await context.locks.run(id, () => beginStop(context, id, options));
  await endProcess(context, id, wish);
  const record = context.containers.get(id);
  // Auto-remove may have removed the container, whose last event was then `destroy`.
  if (record !== undefined) emitContainerEvent(context.events, record, 'stop');
}

/**
 * Marks the container as stopped by hand before any signal is sent, so that no policy restarts it.
 */
function beginStop(context: EngineContext, id: string, options: StopOptions) {
  const record = context.containers.require(id);
  if (record.state.status === 'restarting') return cancelRestart(context, record);
  if (context.live.get(id) === undefined)
    throw new CortenError('not-modified', `${record.name} is not running`);
  context.containers.setLive(id, { manuallyStopped: true });
  return stopParameters(record, options);
}

/** The container has no process now, so only the planned restart is cancelled. */
function cancelRestart(context: EngineContext, record: ContainerRecord) {
  context.restarts.forget(record.id);
  context.containers.setLive(record.id, {
    manuallyStopped: true,
    state: { ...record.state, status: 'exited' },
  });
  return stopParameters(record, {});
}

/**
 * The signal and the timeout of a stop: those of the request, or of the container, or Docker's
 * defaults.
 */
export function stopParameters(
  { settings }: ContainerRecord,
  { signal, timeoutSeconds }: StopOptions,
): { signal: number; timeoutMs: number } {
  return {
    signal: parseSignal(signal || settings.stopSignal || 'SIGTERM'),
    timeoutMs: (timeoutSeconds ?? settings.stopTimeoutSeconds ?? defaultTimeoutSeconds) * 1000,
  };
}
