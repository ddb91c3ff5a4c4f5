import type { DuplexChannels, TerminalRequest } from '../../electron/contract/bridge.ts';
import { host } from './bridge.ts';
import { currentLook } from './look.ts';

export type TerminalMessage = DuplexChannels['terminal.open']['toRenderer'];
export type TerminalInput = DuplexChannels['terminal.open']['toHost'];

export interface TerminalLine {
  send(message: TerminalInput): void;
  close(): void;
}

/** A shell in a container, over the SSH server's pty. `onEnd` is told once that no more comes, and why. */
export function openTerminal(
  request: TerminalRequest,
  onMessage: (message: TerminalMessage) => void,
  onEnd: (reason: string | undefined) => void,
): Promise<TerminalLine> {
  const { machine } = currentLook();
  return host().duplex('terminal.open', { machine, ...request }, onMessage, (error) =>
    onEnd(error?.message),
  );
}
