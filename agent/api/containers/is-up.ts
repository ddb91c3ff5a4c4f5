/** Whether dockerd calls the state running: a process exists or a restart is due. */
import type { ContainerState } from '../../contract/container.ts';

export function isUp(status: ContainerState['status']): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}
