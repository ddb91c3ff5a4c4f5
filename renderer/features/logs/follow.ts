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
  /** Time of the newest line that the buffer has had, cleared ones included. */
  lastTime: string;
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
      const read = lineReader((line) => {
        // `since` includes its own instant: what came at it is here already.
        if (line.time !== '' && line.time <= source.lastTime) return;
        if (line.time !== '') source.lastTime = line.time;
        buffer.push(line);
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
