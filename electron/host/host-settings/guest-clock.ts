/**
 * Sets a virtual machine's clock to this computer's, because it stands still while the computer
 * sleeps or the machine is paused. The agent steps its clock only for a difference above 0.1 s.
 */
import type { Companion } from '../machine/machine.ts';
import { pollWhileRunning } from './poll-while-running.ts';

const tickMs = 30_000;

export interface ClockSource {
  /** Calls the listener after the computer has resumed from sleep; returns how to stop listening. */
  onHostResume?(listener: () => void): () => void;
}

export function guestClock({ onHostResume }: ClockSource = {}, everyMs = tickMs): Companion {
  return (machine) => {
    const poll = pollWhileRunning(machine, everyMs, async () => {
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
    const stopListening = onHostResume?.(() => void poll.now());
    return {
      close() {
        stopListening?.();
        poll.close();
      },
    };
  };
}
