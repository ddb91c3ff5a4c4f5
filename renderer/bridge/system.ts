import type { MachineAbilities } from '../../agent/contract/abilities.ts';
import type { EventMessage, SystemInfo } from '../../agent/contract/docker.ts';
import type { MachineProcesses } from '../../agent/contract/processes.ts';
import type { ShellFacts } from '../../electron/contract/bridge.ts';
import { host } from './bridge.ts';
import { getJson, query, streamJson } from './engine.ts';

export type { EventMessage, ShellFacts, SystemInfo };

export function getInfo(): Promise<SystemInfo> {
  return getJson('/info');
}

/** Every process of the machine, by who it belongs to. */
export function getProcesses(): Promise<MachineProcesses> {
  return getJson('/corten/v1/machine/processes');
}

/** What the machine lets the engine do. */
export function getAbilities(): Promise<MachineAbilities> {
  return getJson('/corten/v1/machine/abilities');
}

/** Events from `sinceSeconds` (Unix time) on, then live until aborted. */
export function watchEvents(
  sinceSeconds: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<EventMessage> {
  return streamJson({ method: 'GET', path: `/events${query({ since: sinceSeconds })}` }, signal);
}

export function getShellFacts(): Promise<ShellFacts> {
  return host().request('shell.facts');
}

/** Opens an address in the person's own browser. */
export function openAddress(url: string): Promise<void> {
  return host().request('shell.open', url);
}

export function watchConnection(listener: (connected: boolean) => void): () => void {
  return host().onConnection(listener);
}
