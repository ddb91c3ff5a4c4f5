/**
 * Opens shells with the engine's exec. `ContainerExec` is the part of agent/api/exec/backend.ts's ExecBackend that
 * this needs, so that main.ts can pass the engine's object unchanged.
 */

import { constants } from 'node:os';
import { PassThrough, type Writable } from 'node:stream';
import { interactiveShell } from '../contract/interactive-shell.ts';
import { CortenError, invalid, notFound } from '../errors.ts';
import type { Shell, ShellOutput, ShellRequest, SshBackend } from './backend.ts';

export interface ContainerExec {
  create(
    container: string,
    settings: {
      command: string[];
      env: string[];
      privileged: boolean;
      terminal: boolean;
      stdin: boolean;
      stdout: boolean;
      stderr: boolean;
    },
  ): Promise<string>;
  start(
    id: string,
    options: { detach: boolean; size?: { rows: number; columns: number } },
  ): Promise<ExecStreams | undefined>;
  inspect(id: string): { running: boolean; exitCode: number | undefined; pid: number };
  resize(id: string, rows: number, columns: number): Promise<void>;
}

export interface ExecStreams {
  stdin: Writable | undefined;
  output: AsyncIterable<ShellOutput>;
  close(): void;
}

export function openShellOverExec(exec: ContainerExec): SshBackend['openShell'] {
  return async (container, request) => {
    const id = await exec.create(container, settingsOf(request));
    const streams = await startIn(container, exec, id, request);
    return shellOf(exec, id, streams);
  };
}

function settingsOf(request: ShellRequest) {
  return {
    command: ['sh', '-c', request.command ?? interactiveShell],
    env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`),
    privileged: false,
    terminal: request.terminal !== undefined,
    stdin: true,
    stdout: true,
    stderr: true,
  };
}

async function startIn(
  container: string,
  exec: ContainerExec,
  id: string,
  request: ShellRequest,
): Promise<ExecStreams> {
  try {
    const streams = await exec.start(id, { detach: false, size: request.terminal });
    if (streams === undefined) throw invalid('The engine started the shell without its streams.');
    return streams;
  } catch (error) {
    throw isMissingShell(error) ? noShell(container, error) : error;
  }
}

/**
 * Whether the error says that the program is missing; the engine uses runc's message, which the docker CLI matches
 * for exit code 127.
 */
function isMissingShell(error: unknown): boolean {
  return (
    error instanceof Error &&
    !(error instanceof CortenError && error.kind === 'conflict') &&
    /executable file not found|no such file or directory/i.test(error.message)
  );
}

function noShell(container: string, cause: unknown): CortenError {
  return notFound(
    `The image of container "${container}" has no shell. Run one of its own programs with ` +
      `"docker exec ${container} PROGRAM", or start a container from an image that has "sh".`,
    cause,
  );
}

function shellOf(exec: ContainerExec, id: string, streams: ExecStreams): Shell {
  return {
    stdin: streams.stdin ?? new PassThrough().resume(),
    output: streams.output,
    resize: (rows, columns) => exec.resize(id, rows, columns),
    // The engine sets the code before the output ends; without one the process was killed.
    exitCode: () => exec.inspect(id).exitCode ?? 137,
    signal: (name) => signalProcess(exec, id, name),
    hangUp() {
      // In Docker an exec goes on without its client, but a shell over SSH ends with its connection.
      signalProcess(exec, id, 'HUP');
      streams.close();
    },
  };
}

function signalProcess(exec: ContainerExec, id: string, name: string): void {
  const signal = `SIG${name}`;
  if (!(signal in constants.signals)) return;
  try {
    const { running, pid } = exec.inspect(id);
    if (running && pid > 0) process.kill(pid, signal);
  } catch {
    // The process has ended or its container was removed, so there is nothing to signal.
  }
}
