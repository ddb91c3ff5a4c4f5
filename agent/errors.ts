/**
 * The error catalogue. Every failure that a person or client can cause is one of these kinds; the
 * HTTP status is chosen here and nowhere else, and is dockerd's for the same failure.
 */
export const statusOfKind = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  'not-implemented': 501,
  unavailable: 503,
  internal: 500,
} as const;

export type ErrorKind = keyof typeof statusOfKind;

/** A failure with a sentence for people: what happened, to what, and what to do about it. */
export class CortenError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CortenError';
    this.kind = kind;
  }

  get status(): number {
    return statusOfKind[this.kind];
  }
}

export const invalid = (message: string, cause?: unknown) =>
  new CortenError('invalid', message, { cause });
export const notFound = (message: string, cause?: unknown) =>
  new CortenError('not-found', message, { cause });
export const conflict = (message: string, cause?: unknown) =>
  new CortenError('conflict', message, { cause });

/** The HTTP status of anything that was thrown: what is not in the catalogue is our own fault. */
export function statusOf(error: unknown): number {
  return error instanceof CortenError ? error.status : 500;
}
