/** Whether a container that ended is started again (docs.docker.com: "Restart policies"). */
import type { RestartPolicy } from '../../contract/container.ts';

export interface Ending {
  exitCode: number;
  manuallyStopped: boolean;
  /** Starts by the policy so far. */
  restartCount: number;
}

export function shouldRestart(policy: RestartPolicy, ending: Ending): boolean {
  if (ending.manuallyStopped) return false;
  switch (policy.name) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return (
        ending.exitCode !== 0 &&
        (policy.maximumRetryCount === 0 || ending.restartCount < policy.maximumRetryCount)
      );
  }
}

/**
 * Whether the agent starts it when the agent itself starts and finds it not running. Docker's rule:
 * `always` also brings back one that was stopped by hand, which is what sets `unless-stopped` apart.
 */
export function shouldStartWithAgent(policy: RestartPolicy, ending: Ending): boolean {
  return policy.name === 'always' || shouldRestart(policy, ending);
}

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** A container that ran this long was healthy: the next failure starts from the first delay. */
const steadyMs = 10_000;

export function nextDelayMs(previousMs: number | undefined, ranForMs: number): number {
  if (previousMs === undefined || ranForMs >= steadyMs) return firstDelayMs;
  return Math.min(previousMs * 2, longestDelayMs);
}
