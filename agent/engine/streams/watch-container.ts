/** Watches a running container: its input, health, resource usage and exit. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import { watchExit } from '../containers/exit.ts';
import { newRunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { watchHealth } from '../health/health.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { ProcessInput } from './process-input.ts';
import { openStreams } from './process-streams.ts';

/** Called for a container that was just started or re-adopted. */
export function watchContainer(
  context: EngineContext,
  { id, settings }: ContainerRecord,
  process: RunningProcess,
  cgroup: Cgroup,
): void {
  const { stdin } = openStreams(process.stdio);
  const live = newRunningContainer({
    process,
    cgroup,
    // Closing a terminal's input has no effect, because its users type Ctrl-D.
    input:
      stdin && new ProcessInput(stdin, settings.terminal ? undefined : () => process.closeStdin()),
  });
  context.live.add(id, live);
  context.pressure.begin(id, cgroup, process.startedAt);
  watchExit(context, id, live);
  watchHealth(context, id, live);
}
