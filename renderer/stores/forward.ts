/** The machine on this computer: the docker CLI's context, and published ports that the host opens. */
import { create } from 'zustand';
import {
  type DockerContextState,
  type ForwardedPort,
  getContext,
  removeContext,
  setUpContext,
  watchPorts,
} from '../bridge/forward.ts';
import { perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';
import { toastError } from './toasts.ts';

export const useForward = perMachine(
  create<{
    context: DockerContextState | undefined;
    /** Why the context's state cannot be told. */
    contextError: string | undefined;
    ports: ForwardedPort[];
  }>()(() => ({ context: undefined, contextError: undefined, ports: [] })),
);

export async function loadContext(): Promise<void> {
  try {
    useForward.setState({ context: await getContext(), contextError: undefined });
  } catch (error) {
    useForward.setState({ context: undefined, contextError: messageOf(error) });
  }
}

export async function setUpDockerContext(use: boolean): Promise<void> {
  try {
    useForward.setState({ context: await setUpContext(use) });
  } catch (error) {
    toastError({ id: 'failed.contextSetUp' }, error);
  }
}

export async function removeDockerContext(): Promise<void> {
  try {
    useForward.setState({ context: await removeContext() });
  } catch (error) {
    toastError({ id: 'failed.contextRemove' }, error);
  }
}

/** Until the signal aborts; asks again after a break. */
export async function followPorts(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const ports of watchPorts(signal))
        if (!signal.aborted) useForward.setState({ ports });
    } catch {
      // The host is gone: the machine's store says so, and the next round finds it again.
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** What the host says of a container's port; undefined where the kernel itself has it. */
export function forwardedPort(
  ports: readonly ForwardedPort[],
  containerId: string,
  wanted: { protocol: string; hostPort?: number },
): ForwardedPort | undefined {
  return ports.find(
    (port) =>
      port.containerId === containerId &&
      port.protocol === wanted.protocol &&
      port.hostPort === wanted.hostPort,
  );
}
