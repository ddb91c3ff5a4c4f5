/** The agent's ends of an exec's stdio as streams. */
import type { PrestartedExec, ProcessStdio, RunningProcess } from '../../runtime/runtime.ts';
import { ProcessOutput } from '../streams/process-output.ts';
import { closeStreams, openStreams, type ProcessStreams } from '../streams/process-streams.ts';

/**
 * The streams are opened at once, because an end of file that comes before anybody listens would be
 * missed.
 */
export interface ExecStdio {
  streams: ProcessStreams;
  output: ProcessOutput;
  /** Resolves once the exit code is known. */
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

/** Returns undefined when no exec was prepared, or when it has to be started from the beginning. */
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
