/**
 * Closes the connection to a machine that no longer answers. ssh2's own keepalive cannot be suspended,
 * and would close the connection to a paused machine, which answers nothing and still exists.
 */
import type { Duplex } from 'node:stream';

/** A keepalive is sent every ten seconds, and three unanswered ones are enough. */
const longestSilenceMs = 35_000;
const lookMs = 5_000;

export interface SilenceTimeout {
  /** While true, the timeout is suspended. */
  allow(isAllowed: boolean): void;
  stop(): void;
}

/**
 * Destroys the stream once no data has arrived for too long. It counts checks without data instead
 * of time, because after the computer's own sleep the data of that time is still unread.
 */
export function startSilenceTimeout(line: Duplex): SilenceTimeout {
  let silentMs = 0;
  let isAllowed = false;
  const heard = () => {
    silentMs = 0;
  };
  const timer = setInterval(() => {
    if (isAllowed) return;
    silentMs += lookMs;
    if (silentMs >= longestSilenceMs)
      line.destroy(new Error('the machine has been silent for too long'));
  }, lookMs);
  timer.unref();
  line.on('data', heard);
  line.once('close', () => clearInterval(timer));
  return {
    allow(allowed) {
      isAllowed = allowed;
      // The first answer after a resume takes its time, too.
      heard();
    },
    stop: () => clearInterval(timer),
  };
}
