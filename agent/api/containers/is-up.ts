/** What dockerd calls running: whatever has a process, or is about to have one again. */
import type { ContainerState } from '../../contract/container.ts';

export function isUp(status: ContainerState['status']): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}
