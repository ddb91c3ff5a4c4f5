/** Writes messages to stderr and to the file of `--log`. */
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
 * Creates a log. It writes to descriptors directly: `process.stderr` would make a pipe non-blocking that the
 * container uses too.
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

/** Formats a line with the fields that conmon, containerd and dockerd look for. */
function lineOf(format: LogOptions['format'], level: string, msg: string): string {
  const time = new Date().toISOString();
  if (format === 'json') return JSON.stringify({ level, msg, time });
  return `time="${time}" level=${level} msg=${JSON.stringify(msg)}`;
}

function toStderr(text: string): void {
  try {
    writeSync(2, `oci-runtime: ${text}\n`);
  } catch {
    // The caller has closed stderr or does not read it; the log file has the message.
  }
}

/** Text of an error. An unexpected one includes its stack. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof CortenError || 'code' in error;
  return expected ? error.message : (error.stack ?? error.message);
}
