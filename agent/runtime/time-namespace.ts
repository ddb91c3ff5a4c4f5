/** Time namespaces (time_namespaces(7)), which shift a container's clocks. */
import type { OciSpec } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import type { Step } from './plan.ts';
import { isNew } from './spec-namespaces.ts';

const billion = 1_000_000_000;

/** The step for a new time namespace. Throws invalid for offsets without one. */
export function timeSteps(spec: Pick<OciSpec, 'linux'>): Step[] {
  const { timeOffsets = {} } = spec.linux;
  const lines = Object.entries(timeOffsets).map(([clock, { secs, nanosecs }]) => {
    if (nanosecs < 0 || nanosecs >= billion)
      throw invalid(`linux.timeOffsets.${clock}.nanosecs is ${nanosecs}: use 0 to ${billion - 1}`);
    return `${clock} ${secs} ${nanosecs}\n`;
  });
  if (isNew(spec, 'time')) return [{ do: 'time', offsets: lines.join('') }];
  if (lines.length > 0) throw invalid('linux.timeOffsets takes a new time namespace');
  return [];
}
