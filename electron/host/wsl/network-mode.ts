/**
 * Finds WSL's network mode. `.wslconfig` sets it (https://learn.microsoft.com/windows/wsl/networking),
 * but WSL falls back to another mode where that one is impossible, so the running system is asked with
 * WSL's own program, wslinfo.
 */
import type { Distribution } from './distribution.ts';

export interface NetworkMode {
  /** The agent's arguments for this mode. */
  agentArguments: readonly string[];
  /** The note that is shown in the UI. */
  note?: string;
}

/**
 * With `mirrored` Windows and the machine share addresses and ports: a port that is used in one is taken
 * in the other, and for programs of the machine itself 127.0.0.1 is Windows too (IPv4 only).
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

/** Asking starts the distribution. A WSL without wslinfo uses NAT. */
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
