/** Where in a person's file (a Dockerfile) an error comes from: clients show these lines. */
import type { Range, SourceInfo } from './llb/ops.ts';

export interface SourceLocation {
  /** With the file's name and content. */
  info: SourceInfo;
  ranges: Range[];
}

/** An error that says where it comes from (BuildKit's errdefs.Source). */
export interface LocatedError extends Error {
  location: SourceLocation;
}

/** The location that an error or one of its causes carries. */
export function locationOf(error: unknown): SourceLocation | undefined {
  if (!(error instanceof Error)) return undefined;
  const { location } = error as Partial<LocatedError>;
  return location ?? locationOf(error.cause);
}
