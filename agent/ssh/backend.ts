/** What the SSH server needs from the engine. */
import type { Writable } from 'node:stream';

export interface SshBackend {
  /** Starts a shell or one command in a container; not-found when there is no such container. */
  openShell(container: string, request: ShellRequest): Promise<Shell>;
  /** Whether an IP address belongs to a container, so that `direct-tcpip` may reach it. */
  isContainerAddress(address: string): boolean;
}

export interface ShellRequest {
  /** As typed after the host on ssh's command line; absent means an interactive shell. */
  command?: string;
  /** Absent: no terminal, stdout and stderr stay apart. */
  terminal?: { rows: number; columns: number };
  /** What the client sent, and TERM when there is a terminal. */
  env: Record<string, string>;
}

/** One running process, seen from its terminal or its pipes. */
export interface Shell {
  /** Ending it is the half-close. */
  stdin: Writable;
  /** Ends after the process has; read no faster than the client takes it. */
  output: AsyncIterable<ShellOutput>;
  resize(rows: number, columns: number): Promise<void>;
  /** Settles once the output has ended. */
  exitCode(): number;
  /** A signal by its SSH name, such as `TERM` (RFC 4254 §6.9); unknown names do nothing. */
  signal(name: string): void;
  /** The client is gone: lets the output go and hangs up on the process. */
  hangUp(): void;
}

export interface ShellOutput {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}
