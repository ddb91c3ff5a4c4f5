/** What a verb reads and writes, so that tests can stand in for a terminal. */
import type { Readable, Writable } from 'node:stream';

export interface Input extends Readable {
  isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
}

export interface Output extends Writable {
  isTTY?: boolean;
  rows?: number;
  columns?: number;
}

export interface Io {
  input: Input;
  output: Output;
  errors: Writable;
  environment: NodeJS.ProcessEnv;
  /** Calls back for each signal that would end the process, which then goes on; returns the undoing. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
}

const forwardedSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export function processIo(): Io {
  return {
    input: process.stdin,
    output: process.stdout,
    errors: process.stderr,
    environment: process.env,
    onSignal(listener) {
      for (const signal of forwardedSignals) process.on(signal, listener);
      return () => {
        for (const signal of forwardedSignals) process.off(signal, listener);
      };
    },
  };
}
