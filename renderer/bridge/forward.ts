import type { DockerContextState, ForwardedPort } from '../../electron/contract/forward.ts';
import { host } from './bridge.ts';
import { currentLook, whileLooking } from './look.ts';

export type { DockerContextState, ForwardedPort };

export function getContext(): Promise<DockerContextState> {
  return asked((machine) => host().request('context.state', { machine }));
}

/** `use`: also what a bare `docker` asks, until the context is removed. */
export function setUpContext(use: boolean): Promise<DockerContextState> {
  return asked((machine) => host().request('context.setUp', { machine, use }));
}

export function removeContext(): Promise<DockerContextState> {
  return asked((machine) => host().request('context.remove', { machine }));
}

export function watchPorts(signal: AbortSignal): AsyncIterable<ForwardedPort[]> {
  return host().stream('ports.watch', { machine: currentLook().machine }, signal);
}

function asked<T>(ask: (machine: string) => Promise<T>): Promise<T> {
  const look = currentLook();
  return whileLooking(look, ask(look.machine));
}
