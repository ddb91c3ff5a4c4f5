import { CortenError } from '../errors.ts';

/**
 * The image's process could not be started. `exitCode` is 127 when the command does not exist and
 * 126 when it cannot be executed, as in POSIX shells. The `docker` CLI recognizes both by
 * "executable file not found" and "permission denied" in the message.
 */
export class StartError extends CortenError {
  readonly exitCode: 126 | 127 | 128;

  constructor(exitCode: 126 | 127 | 128, message: string, cause?: unknown) {
    super('invalid', message, { cause });
    this.name = 'StartError';
    this.exitCode = exitCode;
  }
}
