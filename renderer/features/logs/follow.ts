/** Reads a container's log into a buffer for as long as somebody looks, over stops and starts. */
import { followLogs } from '../../bridge/logs.ts';
import { lineReader } from './line-reader.ts';
import type { LogBuffer } from './log-buffer.ts';

const retryMs = 1000;

export interface LogSource {
  id: string;
  /** Its output is one raw terminal stream. */
  terminal: boolean;
  isRunning: () => boolean;
  /** Time of the newest line that the buffer has had, cleared ones included, and how many had it. */
  lastTime: string;
  linesAtLastTime: number;
}

/** `tell` is called after each piece that arrived, and with an error when the engine refused. */
export async function followInto(
  buffer: LogBuffer,
  source: LogSource,
  tail: number,
  tell: (error?: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const isNew = newLines(source);
      const read = lineReader((line) => {
        if (isNew(line.time)) buffer.push(line);
      });
      const from = { tail, terminal: source.terminal, since: source.lastTime };
      for await (const frames of followLogs(source.id, from, signal)) {
        for (const frame of frames) read(frame);
        tell();
      }
      tell();
    } catch (error) {
      if (!signal.aborted) tell(error);
    }
    // The log ended with its container; it goes on when that runs again.
    do await new Promise((resolve) => setTimeout(resolve, retryMs));
    while (!signal.aborted && !source.isRunning());
  }
}

/**
 * Tells the lines that the buffer has not had. A reading that goes on asks for lines since the last
 * time, which brings those of that very time once more; lines that were written together share it.
 */
export function newLines(
  source: Pick<LogSource, 'lastTime' | 'linesAtLastTime'>,
): (time: string) => boolean {
  const resumedAt = source.lastTime;
  let again = source.linesAtLastTime;
  return (time) => {
    if (time === '') return true;
    if (time < resumedAt) return false;
    if (time === resumedAt && again > 0) {
      again -= 1;
      return false;
    }
    source.linesAtLastTime = time === source.lastTime ? source.linesAtLastTime + 1 : 1;
    source.lastTime = time;
    return true;
  };
}
