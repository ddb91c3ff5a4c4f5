/** A failure that people are told in one sentence for its cause and one for what to do; without a stack. */
export class CommandFailure extends Error {
  readonly nextStep: string;
  readonly exitCode: number;

  constructor(cause: string, nextStep = '', exitCode = 1) {
    super(cause);
    this.name = 'CommandFailure';
    this.nextStep = nextStep;
    this.exitCode = exitCode;
  }
}

/** The arguments are wrong although the parser took them: exit code 2, as for any wrong usage. */
export function wrongUsage(cause: string, nextStep = ''): CommandFailure {
  return new CommandFailure(cause, nextStep, 2);
}

/** `docker run` and `docker exec` end with 125 when the container's process never began. */
export const ownFailureCode = 125;
