import type { WaitCondition, WaitResult } from '../../api/containers/backend.ts';
import type { EngineContext } from '../context.ts';
import { resultOf } from '../state/container-record.ts';

/**
 * The wait is registered before the first await, so that an exit right after the call is not
 * missed.
 */
export async function waitForContainer(
  context: Pick<EngineContext, 'containers' | 'live' | 'exitWaiters'>,
  reference: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const ended = context.exitWaiters.resultOfRemoved(reference);
  if (ended !== undefined) return ended;
  const record = context.containers.find(reference);
  if (condition === 'removed') return context.exitWaiters.next(record.id, 'removal', signal);
  const over = condition === 'not-running' && context.live.get(record.id) === undefined;
  return over ? resultOf(record) : context.exitWaiters.next(record.id, 'exit', signal);
}
