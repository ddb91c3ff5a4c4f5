/** Why a build failed, as it is told and kept: the step, and the lines of the Dockerfile. */
import type { BuildFailure, BuildSourceLines } from '../../contract/build.ts';
import type { Range, SourceInfo } from '../llb/ops.ts';
import { StepFailure } from '../solver/solver.ts';
import { locationOf } from '../source-location.ts';

export function failureOf(error: Error): BuildFailure {
  const step = stepFailureIn(error);
  const location = locationOf(error);
  return {
    message: error.message,
    ...(step !== undefined && { step: step.digest }),
    ...(step?.exitCode !== undefined && { exitCode: step.exitCode }),
    ...(location !== undefined && { source: sourceLines(location.info, location.ranges) }),
  };
}

export function sourceLines(info: SourceInfo, ranges: readonly Range[]): BuildSourceLines {
  return {
    fileName: info.filename,
    content: Buffer.from(info.data).toString(),
    ranges: ranges.map(({ start, end }) => {
      const startLine = start?.line ?? 1;
      return { startLine, endLine: Math.max(end?.line ?? startLine, startLine) };
    }),
  };
}

function stepFailureIn(error: unknown): StepFailure | undefined {
  if (error instanceof StepFailure) return error;
  return error instanceof Error ? stepFailureIn(error.cause) : undefined;
}
