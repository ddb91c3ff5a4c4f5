import { CortenError } from '../../errors.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import type { RunningContainer } from './running-containers.ts';

const SIGKILL = 9;

/** Sends a signal and emits the `kill` event. A paused container that is meant to end is thawed. */
export function sendSignal(
  context: Pick<EngineContext, 'containers' | 'events' | 'pressure'>,
  id: string,
  live: RunningContainer,
  signal: number,
  { ends = true }: { ends?: boolean } = {},
): void {
  // A throttled fork bomb needs CPU time to end.
  if (ends || signal === SIGKILL) context.pressure.stopping(id);
  signalUnlessEnded(live.process, signal);
  const record = context.containers.require(id);
  // v1's freezer delays even SIGKILL until the thaw (cgroup-v1/freezer-subsystem.rst).
  if (record.state.status === 'paused' && (ends || signal === SIGKILL)) {
    live.cgroup.thaw();
    context.containers.setLive(id, { state: { ...record.state, status: 'running' } });
  }
  emitContainerEvent(context.events, record, 'kill', { signal: String(signal) });
}

/** Ignores a process that has just ended and whose exit is not handled yet. */
export function signalUnlessEnded(process: Pick<RunningProcess, 'signal'>, signal: number): void {
  try {
    process.signal(signal);
  } catch (error) {
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
}
