/** Declares what the SSH server needs of the engine. */
import type { Writable } from 'node:stream';

export interface SshBackend {
  /** Starts a shell or one command in a container. Throws not-found without such a container. */
  openShell(container: string, request: ShellRequest): Promise<Shell>;
  /** Whether an IP address belongs to a container, which `direct-tcpip` may reach. */
  isContainerAddress(address: string): boolean;
}

export interface ShellRequest {
  /** Command from ssh's command line; an interactive shell when absent. */
  command?: string;
  /** Size of the terminal. Without a terminal stdout and stderr are separate. */
  terminal?: { rows: number; columns: number };
  /** Variables of the client, and TERM when there is a terminal. */
  env: Record<string, string>;
}

/** A running process with its terminal or pipes. */
export interface Shell {
  /** The process's stdin; ending it is the half-close. */
  stdin: Writable;
  /** Output, which ends after the process. It is read no faster than the client accepts it. */
  output: AsyncIterable<ShellOutput>;
  resize(rows: number, columns: number): Promise<void>;
  /** Exit code, known when the output has ended. */
  exitCode(): number;
  /** Sends a signal by its SSH name such as `TERM` (RFC 4254 §6.9); unknown names have no effect. */
  signal(name: string): void;
  /** Drops the output and sends SIGHUP to the process, when the client is gone. */
  hangUp(): void;
}

export interface ShellOutput {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}
