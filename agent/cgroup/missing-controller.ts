/** Refuses limits that this machine cannot enforce, so that nobody relies on them. */
import { invalid } from '../errors.ts';

/** Whether any value is requested. `null` only removes a limit. */
export function asksForAny(values: readonly unknown[]): boolean {
  return values.some((value) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null,
  );
}

export function missingController(controller: string): Error {
  return invalid(
    `This machine cannot keep a ${controller} limit: its kernel has no ${controller} controller, or it is switched off (see cgroup_disable= in /proc/cmdline), or was not handed down to this agent (Delegate= of user@.service). Leave the limit out.`,
  );
}
