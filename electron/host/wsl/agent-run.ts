/**
 * The agent inside the distribution, run by one wsl.exe that stays: a distribution without any
 * process started from Windows is ended after 15 seconds (`instanceIdleTimeout`,
 * https://github.com/microsoft/WSL/blob/master/src/windows/common/WslCoreConfig.h). When it ends the
 * machine counts as stopped; closing its standard input asks the agent to stop.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelled, StageFailure } from '../machine/machine.ts';
import { decodeOutput, startWsl, type WslProgram } from './command.ts';
import type { Distribution } from './distribution.ts';
import { wslFailure } from './failures.ts';

/** The first start unpacks the starter image, and WSL's virtual machine may have to boot before. */
const readyTimeoutMs = 300_000;
/** Containers get ten seconds to stop (SIGPWR), then the agent unmounts and ends. */
const endTimeoutMs = 120_000;
const keptOutputBytes = 16 * 1024;

export interface AgentRun {
  /** Resolves with how it ended; pending while it runs. */
  end: Promise<string>;
  /** The last lines of its output. */
  said(): string;
  /** Asks the agent to stop. False when it still runs after the timeout. */
  askToEnd(): Promise<boolean>;
  /** Kills wsl.exe, which is the Windows side of the agent. */
  kill(): void;
}

export async function runAgent(
  wsl: WslProgram,
  distribution: Distribution,
  signal: AbortSignal,
): Promise<AgentRun> {
  const child = startWsl(wsl, distribution.wordsFor(['/usr/lib/corten/wsl-guest', 'run']));
  const output = keepOutput(child);
  child.stdin.on('error', () => {});
  const closed = new Promise<number>((resolve) => {
    child.once('error', () => resolve(-1));
    child.once('close', (code) => resolve(code ?? -1));
  });
  const end = closed.then((code) => howItEnded(code, output.text(), distribution.name));
  try {
    await ready(output, closed, distribution.name, signal);
  } catch (error) {
    child.kill();
    throw error;
  }
  return {
    end,
    said: () => output.text(),
    askToEnd: async () => {
      child.stdin.end();
      const timer = new AbortController();
      const ended = await Promise.race([
        closed.then(() => true),
        sleep(endTimeoutMs, false, { signal: timer.signal }),
      ]);
      timer.abort();
      return ended;
    },
    kill: () => void child.kill(),
  };
}

interface KeptOutput {
  text(): string;
  /** Resolves at the agent's ready line. */
  ready: Promise<void>;
}

/** Only the end of the output is kept, which explains how the agent ended. */
function keepOutput(child: ChildProcessWithoutNullStreams): KeptOutput {
  let kept: Buffer = Buffer.alloc(0);
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      kept = Buffer.concat([kept, piece]);
      if (/^\{"event":"ready"/m.test(decodeOutput(kept))) isReady();
      // An even number of bytes, so that UTF-16 stays readable.
      if (kept.length > keptOutputBytes) kept = kept.subarray((kept.length - keptOutputBytes) & ~1);
    });
  return { text: () => decodeOutput(kept), ready };
}

async function ready(
  output: KeptOutput,
  closed: Promise<number>,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) throw cancelled();
  const settled = new AbortController();
  const gaveUp = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(cancelled()), { signal: settled.signal });
  });
  const tooLong = sleep(readyTimeoutMs, undefined, { signal: settled.signal }).then(() => {
    throw new StageFailure(
      `The engine in "${name}" was not ready after ${readyTimeoutMs / 1000} seconds. It said: ${output.text()}`,
      'Run "wsl --shutdown", and start the machine again.',
    );
  });
  // This rejection is unhandled when the race below has already ended.
  tooLong.catch(() => {});
  const ended = closed.then((code) => {
    throw wslFailure({ code, output: output.text() }, name, 'start the engine in');
  });
  ended.catch(() => {});
  try {
    await Promise.race([output.ready, gaveUp, tooLong, ended]);
  } finally {
    settled.abort();
  }
}

/** Exit codes of Linux programs stop at 255; wsl.exe's own failure is -1. */
function howItEnded(code: number, output: string, name: string): string {
  const words = output.split('\n').slice(-3).join(' ');
  if (code === 0) return `The engine in "${name}" ended, or somebody ran "wsl --shutdown".`;
  return code > 0 && code <= 255
    ? `The engine in "${name}" ended with code ${code}. It said: ${words}`
    : `WSL ended "${name}". It said: ${words || 'nothing'}`;
}
