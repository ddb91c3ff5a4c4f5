/**
 * Notices a machine that is gone without a word. ssh2 counts unanswered questions itself and cannot
 * be told to wait; a machine that rests answers none and is not gone.
 */
import type { Duplex } from 'node:stream';

/** Three missed answers to a question every ten seconds. */
const longestSilenceMs = 35_000;
const lookMs = 5_000;

export interface SilenceTimeout {
  /** While true, silence means nothing. */
  expect(isExpected: boolean): void;
  stop(): void;
}

/**
 * Destroys the line once it has been silent for too long. What counts is how often it was looked at
 * in vain: in a program that stood still itself, as in a sleeping computer, what the line has to say
 * still waits to be read.
 */
export function startSilenceTimeout(line: Duplex): SilenceTimeout {
  let silentMs = 0;
  let isExpected = false;
  const heard = () => {
    silentMs = 0;
  };
  const timer = setInterval(() => {
    if (isExpected) return;
    silentMs += lookMs;
    if (silentMs >= longestSilenceMs)
      line.destroy(new Error('the machine has been silent for too long'));
  }, lookMs);
  timer.unref();
  line.on('data', heard);
  line.once('close', () => clearInterval(timer));
  return {
    expect(expected) {
      isExpected = expected;
      // What it has to say after its rest takes its way, too.
      heard();
    },
    stop: () => clearInterval(timer),
  };
}
