/** What the agent does for a container while it runs: its input, its health, what it uses, and its exit. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import { watchExit } from '../containers/exit.ts';
import { newRunningContainer } from '../containers/running-containers.ts';
import type { EngineContext } from '../context.ts';
import { watchHealth } from '../health/health.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { ProcessInput } from './process-input.ts';
import { openStreams } from './process-streams.ts';

/** For one that was just started, and for one that an agent before us started. */
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
    // Ending a terminal's input means nothing: its users type Ctrl-D.
    input:
      stdin && new ProcessInput(stdin, settings.terminal ? undefined : () => process.closeStdin()),
  });
  context.live.add(id, live);
  context.pressure.begin(id, cgroup, process.startedAt);
  watchExit(context, id, live);
  watchHealth(context, id, live);
}
