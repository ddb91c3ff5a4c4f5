/** Status of `ps`: "Up 2 minutes (healthy)", "Exited (0) 3 seconds ago". */
import type { ContainerState } from '../../contract/container.ts';

export function statusText(state: ContainerState, now: Date): string {
  const up = `Up ${elapsed(state.startedAt, now)}`;
  const exit = `(${state.exitCode}) ${elapsed(state.finishedAt, now)} ago`;
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return state.health === undefined ? up : `${up} (${healthText(state.health.status)})`;
    case 'paused':
      return `${up} (Paused)`;
    case 'restarting':
      return `Restarting ${exit}`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'exited':
      return state.finishedAt === undefined ? '' : `Exited ${exit}`;
  }
}

function healthText(status: NonNullable<ContainerState['health']>['status']): string {
  return status === 'starting' ? 'health: starting' : status;
}

function elapsed(since: Date | undefined, now: Date): string {
  return humanDuration(since === undefined ? 0 : (now.getTime() - since.getTime()) / 1000);
}

/** Formats a duration as HumanDuration of go-units, because scripts match on it. */
export function humanDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < 60) return `${whole} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}
