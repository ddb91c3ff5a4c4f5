/**
 * Keeps a machine's clock on its computer's: a virtual machine's stands still while the computer
 * sleeps or the machine rests. The machine itself steps only when it is off by more than a tenth of
 * a second.
 */
import type { Companion } from '../machine/machine.ts';
import { pollWhileRunning } from './poll-while-running.ts';

const tickMs = 30_000;

export interface ClockSource {
  /** Called when the computer has woken; returns how to stop listening. */
  onHostResume?(listener: () => void): () => void;
}

export function guestClock({ onHostResume }: ClockSource = {}, everyMs = tickMs): Companion {
  return (machine) => {
    const rounds = pollWhileRunning(machine, everyMs, async () => {
      try {
        await machine.background.request({
          method: 'POST',
          path: '/corten/v1/machine/clock',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ timeMs: Date.now() }),
        });
      } catch (error) {
        machine.report('the machine’s clock', error);
      }
    });
    const stopListening = onHostResume?.(() => void rounds.now());
    return {
      close() {
        stopListening?.();
        rounds.close();
      },
    };
  };
}
