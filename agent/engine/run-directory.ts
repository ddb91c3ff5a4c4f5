import { rmSync } from 'node:fs';
import type { EngineContext } from './context.ts';

/**
 * Removes what a process left to outlive the agent. Synchronous: it holds three small files, and the
 * thread pool would take ten times as long.
 */
export function removeRunDirectory(directory: string, report: EngineContext['report']): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    report(`remove ${directory}`, error);
  }
}
