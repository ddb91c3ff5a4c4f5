/** An exec's ends of stdio as streams, which are opened while it is on its way where that can be. */
import type { PrestartedExec, ProcessStdio, RunningProcess } from '../../runtime/runtime.ts';
import { ProcessOutput } from '../streams/process-output.ts';
import { closeStreams, openStreams, type ProcessStreams } from '../streams/process-streams.ts';

/** Opened before anything can happen to them: an end that comes while nobody listens would be missed. */
export interface ExecStdio {
  streams: ProcessStreams;
  output: ProcessOutput;
  /** Told once the exit code can be asked for. */
  exited: PromiseWithResolvers<void>;
}

export function openStdio(stdio: ProcessStdio): ExecStdio {
  const exited = Promise.withResolvers<void>();
  const streams = openStreams(stdio);
  return { streams, output: new ProcessOutput(streams, exited.promise), exited };
}

export interface RunningExec {
  process: RunningProcess;
  stdio: ExecStdio;
}

/** Undefined when nothing was prestarted, or it has to be done anew. */
export async function finishPrestarted(
  prestarted: PrestartedExec | undefined,
): Promise<RunningExec | undefined> {
  const opened: ExecStdio[] = [];
  let process: RunningProcess | undefined;
  try {
    process = await prestarted?.finish((stdio) => opened.push(openStdio(stdio)));
  } finally {
    if (process === undefined) for (const { streams } of opened) closeStreams(streams);
  }
  return process && { process, stdio: opened[0] ?? openStdio(process.stdio) };
}
