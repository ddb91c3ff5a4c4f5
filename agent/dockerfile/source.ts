/** Places in a Dockerfile, and failures that name one. */
import { CortenError } from '../errors.ts';

export interface Position {
  /** From 1. */
  line: number;
  /** From 0, in UTF-16 units as editors count them. */
  column: number;
}

export interface SourceRange {
  start: Position;
  end: Position;
}

/** A Dockerfile that makes no sense at one place. */
export class SourceError extends CortenError {
  readonly range: SourceRange;

  constructor(
    message: string,
    range: SourceRange,
    { kind = 'invalid', cause }: { kind?: CortenError['kind']; cause?: unknown } = {},
  ) {
    super(kind, message, { cause });
    this.name = 'SourceError';
    this.range = range;
  }
}

/** In the words that clients know from BuildKit. */
export function parseError(message: string, range: SourceRange, cause?: unknown): SourceError {
  return new SourceError(`dockerfile parse error on line ${range.start.line}: ${message}`, range, {
    cause,
  });
}
