/**
 * How WSL's one virtual machine is on the network: a line of the person's `.wslconfig`
 * (https://learn.microsoft.com/windows/wsl/networking), from which WSL falls back where it cannot do
 * what it says. So it is the running system that is asked, by the program that WSL puts into each one.
 */
import type { Distribution } from './distribution.ts';

export interface NetworkMode {
  /** What the agent has to know of it. */
  agentArguments: readonly string[];
  /** What people have to. */
  note?: string;
}

/**
 * With `mirrored` Windows and the machine have the same addresses and ports: what listens in one is
 * taken in the other, and 127.0.0.1 is Windows too, for IPv4 and for programs of the machine itself.
 */
const modes: Record<string, NetworkMode> = {
  mirrored: {
    agentArguments: ['--host-address', 'shared'],
    note:
      'WSL is in its mirrored network mode: containers do not reach Windows by host.corten.internal. ' +
      'Published ports are on Windows as ever.',
  },
  none: {
    agentArguments: [],
    note: 'WSL has no network ("networkingMode=none" in .wslconfig): no image can be pulled, and containers reach nothing outside.',
  },
};

const usual: NetworkMode = { agentArguments: [] };

/** It starts the distribution. A WSL that does not tell has NAT. */
export async function networkModeOf(
  distribution: Distribution,
  signal: AbortSignal,
): Promise<NetworkMode> {
  try {
    const command = ['/bin/wslinfo', '--networking-mode'];
    const mode = await distribution.run(command, 'ask', { signal });
    return modes[mode.trim().toLowerCase()] ?? usual;
  } catch (error) {
    if (signal.aborted) throw error;
    return usual;
  }
}
