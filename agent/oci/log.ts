/** What the command says to people and to its caller: on stderr, and in the file of `--log`. */
import { appendFileSync, writeSync } from 'node:fs';
import { CortenError } from '../errors.ts';

export interface Log {
  warn(text: string): void;
  error(error: unknown): void;
}

export interface LogOptions {
  file: string | undefined;
  format: 'text' | 'json';
}

/**
 * Descriptors are written to directly: `process.stderr` would make a pipe non-blocking, and it is
 * the container's own as well.
 */
export function createLog({ file, format }: LogOptions): Log {
  const append = (level: string, text: string) => {
    if (file !== undefined) appendFileSync(file, `${lineOf(format, level, text)}\n`);
  };
  return {
    warn(text) {
      append('warning', text);
      toStderr(`warning: ${text}`);
    },
    error(error) {
      const text = textOf(error);
      append('error', text);
      toStderr(text);
    },
  };
}

/** The fields that conmon, containerd and dockerd look for. */
function lineOf(format: LogOptions['format'], level: string, msg: string): string {
  const time = new Date().toISOString();
  if (format === 'json') return JSON.stringify({ level, msg, time });
  return `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
}

function toStderr(text: string): void {
  try {
    writeSync(2, `oci-runtime: ${text}\n`);
  } catch {
    // The caller has closed it, or does not read it any more; the log file has it.
  }
}

/** What is not in the catalogue is our own fault, and then where it happened helps. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof CortenError || 'code' in error;
  return expected ? error.message : (error.stack ?? error.message);
}
