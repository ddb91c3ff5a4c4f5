/**
 * Decides whether a container is started again after it ended (docs.docker.com, "Restart
 * policies").
 */
import type { RestartPolicy } from '../../contract/container.ts';

export interface Ending {
  exitCode: number;
  manuallyStopped: boolean;
  /** The number of starts by the policy so far. */
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
 * Whether the agent's own start starts the container. Docker's rule: `always` also restarts a
 * container that was stopped by hand, `unless-stopped` does not.
 */
export function shouldStartWithAgent(policy: RestartPolicy, ending: Ending): boolean {
  return policy.name === 'always' || shouldRestart(policy, ending);
}

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/**
 * A container that ran at least this long was healthy, so the delay starts from the first value
 * again.
 */
const steadyMs = 10_000;

export function nextDelayMs(previousMs: number | undefined, ranForMs: number): number {
  if (previousMs === undefined || ranForMs >= steadyMs) return firstDelayMs;
  return Math.min(previousMs * 2, longestDelayMs);
}
