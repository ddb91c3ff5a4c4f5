/**
 * Starts the agent as a detached process that writes to a log file, so that neither a crash of the app
 * nor a full pipe affects it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled, StageFailure } from '../machine/machine.ts';

export interface AgentProcess {
  /** Sends SIGTERM and waits for the end. Containers run on. */
  stop(): Promise<void>;
  /** Resolves with how the process ended; pending while it runs. */
  end: Promise<string>;
}

/** The first start unpacks the starter image and may install packages. */
const defaultReadyTimeoutMs = 300_000;
const stopTimeoutMs = 10_000;
const greetingTimeoutMs = 3_000;

/**
 * Whether an agent runs. It asks the socket instead of a pid file, and waits for SSH's greeting, because
 * a process that is ending still accepts connections. One that never greets counts as running; the stage
 * `connect` then reports it.
 */
export function isAgentRunning(runDirectory: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(join(runDirectory, 'ssh.sock'));
    const answer = (isRunning: boolean) => {
      socket.destroy();
      resolve(isRunning);
    };
    socket.setTimeout(greetingTimeoutMs, () => answer(true));
    socket.once('data', () => answer(true));
    socket.once('end', () => answer(false));
    socket.once('error', () => answer(false));
  });
}

/** Resolves at the agent's ready line; aborting stops the start and the agent. */
export async function startAgent(
  options: {
    agentCommand: readonly string[];
    rootDirectory: string;
    runDirectory: string;
    readyTimeoutMs?: number;
  },
  signal: AbortSignal,
): Promise<AgentProcess> {
  const [program = '', ...words] = options.agentCommand;
  const log = openLog(options.runDirectory);
  const child = spawn(
    program,
    [...words, '--root', options.rootDirectory, '--run', options.runDirectory],
    { cwd: '/', detached: true, stdio: ['ignore', log.descriptor, log.descriptor] },
  );
  closeSync(log.descriptor);
  const end = endOf(child);
  try {
    await ready(end, log.path, signal, options.readyTimeoutMs ?? defaultReadyTimeoutMs);
  } catch (error) {
    // A start that failed or was cancelled must leave no process behind.
    await stop(child, end);
    throw error;
  }
  child.unref();
  return { stop: () => stop(child, end), end };
}

/** The log is truncated, so that it tells about this start only. */
function openLog(runDirectory: string): { path: string; descriptor: number } {
  const path = join(runDirectory, 'agent.log');
  try {
    mkdirSync(runDirectory, { recursive: true, mode: 0o711 });
    return { path, descriptor: openSync(path, 'w', 0o600) };
  } catch (error) {
    throw new StageFailure(
      `The engine's directory ${runDirectory} cannot be written: ${(error as Error).message}`,
      'Start the app as root ("sudo scripts/start"), or start the engine once with "sudo scripts/agent".',
      { cause: error },
    );
  }
}

/** Resolves with how the process ended; pending while it runs. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with code ${code}` : `it was killed by ${signal}`),
    );
  });
}

async function ready(
  end: Promise<string>,
  logPath: string,
  signal: AbortSignal,
  readyTimeoutMs: number,
): Promise<void> {
  let ended: string | undefined;
  void end.then((how) => {
    ended = how;
  });
  const deadline = performance.now() + readyTimeoutMs;
  while (!hasReadyLine(readFileSync(logPath, 'utf8'))) {
    if (signal.aborted) throw cancelled();
    if (ended !== undefined || performance.now() > deadline)
      throw new StageFailure(
        `The engine did not start: ${ended ?? `it was not ready after ${readyTimeoutMs / 1000} s`}. ${lastLines(logPath)}`,
        `Read ${logPath}, or run "scripts/agent" in a terminal to see it start.`,
      );
    await sleep(20);
  }
}

function hasReadyLine(log: string): boolean {
  return log.split('\n').some((line) => line.startsWith('{"event":"ready"'));
}

function lastLines(logPath: string): string {
  return readFileSync(logPath, 'utf8').trim().split('\n').slice(-3).join(' ');
}

async function stop(child: ChildProcess, end: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = new AbortController();
  await Promise.race([end, sleep(stopTimeoutMs, undefined, { signal: timer.signal })]);
  timer.abort();
}
