/** Runs a health check's command once inside the container. */

import { withPlacement } from '../../cgroup/placement.ts';
import type { HealthCheck } from '../../contract/container.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import { signalUnlessEnded } from '../containers/send-signal.ts';
import type { EngineContext } from '../context.ts';
import { execProcess } from '../exec/exec-process.ts';
import { newId } from '../ids.ts';
import { execRunDirectory } from '../paths.ts';
import { removeRunDirectory } from '../run-directory.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { ProcessOutput } from '../streams/process-output.ts';
import { openStreams } from '../streams/process-streams.ts';
import { timerMs } from '../timer.ts';

const keptOutputBytes = 4096;
const SIGKILL = 9;
/** Docker's exit code for a check that could not run or timed out. */
const couldNotProbe = -1;

export interface ProbeResult {
  start: Date;
  end: Date;
  exitCode: number;
  output: string;
}

export async function probe(
  context: Pick<EngineContext, 'paths' | 'runtime' | 'report'>,
  record: ContainerRecord,
  live: RunningContainer,
  check: HealthCheck,
): Promise<ProbeResult> {
  const start = new Date();
  const runDirectory = execRunDirectory(context.paths, record.id, newId());
  try {
    const { process, seccomp } = execProcess(record, live, {
      command: commandOf(check),
      env: [],
      privileged: false,
      terminal: false,
    });
    const running = await withPlacement(
      live.cgroup,
      (placement) =>
        context.runtime.exec(live.process, {
          process,
          seccomp,
          runDirectory,
          placement,
          openStdin: false,
        }),
      { beside: live.process.pid },
    );
    return { start, ...(await outcome(running, check.timeoutMs)), end: new Date() };
  } catch (error) {
    const output = error instanceof Error ? error.message : String(error);
    return { start, end: new Date(), exitCode: couldNotProbe, output };
  } finally {
    removeRunDirectory(runDirectory, context.report);
  }
}

function commandOf({ test: [form, ...words] }: HealthCheck): string[] {
  return form === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : words;
}

async function outcome(
  running: RunningProcess,
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    signalUnlessEnded(running, SIGKILL);
  }, timerMs(timeoutMs));
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const { data } of new ProcessOutput(openStreams(running.stdio), running.exited)) {
      if (bytes < keptOutputBytes) chunks.push(data);
      bytes += data.length;
    }
    const { exitCode } = await running.exited;
    if (late)
      return {
        exitCode: couldNotProbe,
        output: `Health check exceeded timeout (${timeoutMs / 1000}s)`,
      };
    return {
      exitCode,
      output: Buffer.concat(chunks).subarray(0, keptOutputBytes).toString(),
    };
  } finally {
    clearTimeout(timer);
  }
}
